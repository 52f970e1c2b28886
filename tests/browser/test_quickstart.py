"""The quickstart in JupyterLab, as a user sees it: from the cell over the live panel to the frozen one."""

from __future__ import annotations

import nbformat
import pytest

from tests.browser.lab import CELLS, MARKS, PANEL, SLOW, command, opened, picture

pytestmark = MARKS


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_from_the_cell_to_the_frozen_panel(tmp_path, dark):
    theme = "dark" if dark else "light"
    with opened(tmp_path, *CELLS, dark=dark, width=1000) as page:
        command(page, "notebook:run-all-cells")

        page.wait_for_selector(f"{PANEL} >> text=Compiling")
        page.wait_for_selector(".jp-Notebook button[title='Stop this job']", state="visible")
        picture(page, f"quickstart-live-{theme}")
        width = page.locator(PANEL).first.bounding_box()["width"]

        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        page.wait_for_selector(".jp-Notebook .jupyter-widgets", state="detached")
        assert page.locator(PANEL).bounding_box()["width"] == width  # nothing jumps
        assert page.locator(f"{PANEL} svg[role=img]").count() == 2
        assert page.locator(f"{PANEL} li.neo-done").count() == 7
        assert page.locator(".Toastify__toast").count() == 0  # the end was in sight
        picture(page, f"quickstart-frozen-{theme}")

        command(page, "docmanager:save")
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
    saved = nbformat.read(tmp_path / "work" / "n.ipynb", 4)
    (output,) = saved.cells[1].outputs
    assert sorted(output.data) == ["text/html", "text/plain"]
    assert "completed" in output.data["text/plain"]


def test_stop_from_the_panel_while_the_kernel_waits_for_the_job(tmp_path):
    with opened(tmp_path, CELLS[0], SLOW.replace("--no-cache", "--no-cache --wait"), width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} >> text=Compiling")
        page.click(".jp-Notebook button:has-text('Stop…')")
        page.click(".jp-Notebook button:has-text('Stop it')")
        page.wait_for_selector(f"{PANEL} >> text=Stopped")
        page.wait_for_selector(".jp-Notebook >> text=was stopped before it was done")
        picture(page, "quickstart-stopped")
