"""The JupyterLab extension as it is built into the wheel."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
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
    assert list((BUILT / "static").iterdir()) == [entry]  # none of an earlier build


@pytest.mark.slow
def test_a_wheel_of_a_clone_that_was_built_before_holds_one_bundle(tmp_path):
    clone = tmp_path / "clone"
    unwanted = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".*_cache", "screenshots")
    shutil.copytree(ROOT, clone, ignore=unwanted)
    older = clone / "labextension" / "built" / "static" / "remoteEntry.0123456789abcdef.js"
    older.parent.mkdir(parents=True, exist_ok=True)
    older.write_text("earlier")
    first = entries(clone, tmp_path / "first")
    source = clone / "labextension" / "src" / "icon.ts"
    source.write_text(source.read_text() + "console.debug('later');\n")
    second = entries(clone, tmp_path / "second")
    assert len(first) == len(second) == 1
    assert first != second


def entries(clone: Path, folder: Path) -> list[str]:
    """The bundles in the wheel that pip builds of `clone`."""
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(clone)]
    subprocess.run(build, check=True, timeout=240, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        found = [name for name in wheel.namelist() if "/remoteEntry." in name]
    if not found:
        pytest.skip("built without the extension: no npm registry within reach")
    return found


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
