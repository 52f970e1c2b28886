"""The quickstart in JupyterLab, as a user sees it: from the cell over the live panel to the frozen one."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.browser.lab import MARKS, command, notebook, server, write_settings

pytestmark = MARKS

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
CELLS = (
    "%load_ext neo_magics\nimport torch\nfrom torch import nn\nx = torch.zeros(1, 1, 8, 8)",
    "%%compile --target local --input x -o job --no-cache\n"
    "class DigitsNet(nn.Sequential):\n    pass\n\n"
    "DigitsNet(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10)).eval()",
)
PANEL = ".jp-Notebook .neo-magics"


def screenshot(name: str) -> Path:
    """Where to leave a picture; the folder is not committed."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS / f"quickstart-{name}.png"


def write_notebook(path: Path, *cells: str) -> None:
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, path)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_from_the_cell_to_the_frozen_panel(tmp_path, dark):
    theme = "dark" if dark else "light"
    home, work = tmp_path / "user", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    write_settings(home, dark=dark)
    write_notebook(work / "quick.ipynb", *CELLS)
    with server(work, home) as address, notebook(address, "quick.ipynb") as page:
        command(page, "notebook:run-all-cells")

        page.wait_for_selector(f"{PANEL} >> text=Compiling", timeout=60_000)
        assert page.locator(".jp-Notebook button[title='Stop this job']").is_visible()
        page.screenshot(path=screenshot(f"live-{theme}"))

        page.wait_for_selector(f"{PANEL} >> text=Completed", timeout=60_000)
        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        assert page.locator(".jp-Notebook .jupyter-widgets").count() == 0
        assert page.locator(f"{PANEL} svg[role=img]").count() == 2
        assert page.locator(f"{PANEL} li.neo-done").count() == 7
        page.screenshot(path=screenshot(f"frozen-{theme}"))

        command(page, "docmanager:save")
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = nbformat.read(work / "quick.ipynb", 4)
    (output,) = saved.cells[1].outputs
    assert sorted(output.data) == ["text/html", "text/plain"]
    assert "completed" in output.data["text/plain"]


def test_stop_while_the_cell_waits(tmp_path):
    home, work = tmp_path / "user", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    write_settings(home, dark=False)
    write_notebook(work / "quick.ipynb", CELLS[0], CELLS[1].replace("--no-cache", "--no-cache --wait"))
    with server(work, home) as address, notebook(address, "quick.ipynb", width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} >> text=Compiling", timeout=60_000)
        page.click(".jp-Notebook button:has-text('Stop…')")
        page.click(".jp-Notebook button:has-text('Stop it')")
        page.wait_for_selector(f"{PANEL} >> text=Stopped", timeout=60_000)
        page.wait_for_selector(".jp-Notebook >> text=was stopped before it was done", timeout=10_000)
        page.screenshot(path=screenshot("stopped"))
