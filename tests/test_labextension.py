"""The JupyterLab extension as it is built into the wheel."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

import neo_magics

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "labextension"
LIMIT = 150_000  # bytes of the whole bundle


def built() -> Path | None:
    """Where pip has put the extension that belongs to this package, if it has."""
    if importlib.util.find_spec("jupyter_core") is None:
        return None
    from jupyter_core.paths import jupyter_path

    folders = (Path(path) / "neo-magics" for path in jupyter_path("labextensions"))
    return next((folder for folder in folders if (folder / "package.json").is_file()), None)


BUILT = built()
installed = pytest.mark.skipif(BUILT is None, reason="the extension is not installed: pip install .")


def test_its_version_is_the_package_s():
    assert json.loads((SOURCE / "package.json").read_text())["version"] == neo_magics.__version__


@pytest.mark.parametrize(
    "lock", sorted(SOURCE.glob("**/package-lock.json")), ids=lambda path: path.parent.name
)
def test_lock_files_name_no_registry(lock):
    if "node_modules" in lock.parts:
        pytest.skip("not ours")
    text = lock.read_text()
    packages = json.loads(text)["packages"]
    assert "http" not in text  # nor the "funding" that npm adds
    assert all(package.get("integrity") for name, package in packages.items() if name)


@installed
def test_what_is_installed_is_small_and_of_this_version():
    assert BUILT is not None
    package = json.loads((BUILT / "package.json").read_text())
    entry = BUILT / package["jupyterlab"]["_build"]["load"]
    assert package["version"] == neo_magics.__version__
    assert sum(path.stat().st_size for path in (BUILT / "static").iterdir()) < LIMIT
    assert entry.is_file()


@installed
def test_it_loads_nothing_from_the_network():
    assert BUILT is not None
    code = "".join(path.read_text() for path in (BUILT / "static").glob("*.js"))
    assert "https://" not in code
    assert code.count("http://") == code.count("http://www.w3.org/2000/svg")


@installed
def test_every_setting_has_a_default_and_words():
    assert BUILT is not None
    schema = json.loads((BUILT / "schemas" / "neo-magics" / "plugin.json").read_text())
    assert schema["properties"]
    assert all({"title", "description", "default"} <= set(one) for one in schema["properties"].values())
