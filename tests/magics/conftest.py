"""A real IPython shell for each test, with the extension loaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Iterator[InteractiveShell]:
    """An InteractiveShell after `%load_ext neo_magics`; colours are off, so that output can be compared."""
    ip: Any = InteractiveShell()
    ip.colors = "nocolor"
    ip.run_line_magic("load_ext", "neo_magics")
    yield ip
    ip.run_line_magic("unload_ext", "neo_magics")
    ip.history_manager.end_session()


@pytest.fixture
def run(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a cell as a user does; returns its result and everything that was printed."""

    def run_cell(cell: str) -> tuple[Any, str]:
        capsys.readouterr()
        result = shell.run_cell(cell, store_history=True)
        printed = capsys.readouterr()
        return result, printed.out + printed.err

    return run_cell
