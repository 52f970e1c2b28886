"""Notebooks run with a home of their own, so that they neither see nor leave jobs of the user's."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

HOME = pytest.StashKey[str]()
QUICK = ("01_", "02_")  # a plain pytest runs these; .ci/run the others too


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the longer notebooks as slow."""
    for item in items:
        if item.path.suffix == ".ipynb" and not item.path.name.startswith(QUICK):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Set the home before nbval starts a notebook's kernel, which inherits it."""
    if HOME not in item.config.stash:
        item.config.stash[HOME] = tempfile.mkdtemp(prefix="neo-magics-notebooks-")
        item.config.add_cleanup(lambda: shutil.rmtree(item.config.stash[HOME], ignore_errors=True))
    os.environ["NEO_MAGICS_HOME"] = item.config.stash[HOME]
