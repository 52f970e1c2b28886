"""The sidebar, job documents and commands in JupyterLab, as a user sees them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from neo_magics.settings import Settings
from tests.browser.lab import CHROMIUM, command, notebook, server, write_settings
from tests.browser.seed import fill
from tests.browser.test_quickstart import CELLS, SCREENSHOTS, write_notebook
from tests.test_labextension import installed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    installed,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="pip install playwright"),
    # asyncio's transports of a closed browser are collected late.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
BUSY = "import time\ntime.sleep(60)"


@contextmanager
def opened(tmp_path: Path, *cells: str, dark: bool = False) -> Iterator[Any]:
    """Lab with a notebook of `cells`, and the sidebar in sight."""
    home, work = tmp_path / "user", tmp_path / "work"
    home.mkdir()
    work.mkdir()
    write_settings(home, dark=dark)
    write_notebook(work / "quick.ipynb", *cells)
    with server(work, home) as address, notebook(address, "quick.ipynb") as page:
        page.on("pageerror", lambda error: pytest.fail(f"in the page: {error}"))
        command(page, "neo-magics:show")
        page.wait_for_selector(".neo-sidebar", state="visible")
        yield page


def picture(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"sidebar-{name}.png")


def row(page: Any, name: str) -> Any:
    return page.locator(f".neo-row[data-job^='{name}']")


def last_cell(page: Any) -> str:
    """The source of the notebook's last cell."""
    script = "() => window.jupyterapp.shell.currentWidget.content.widgets.at(-1).model.sharedModel.source"
    return str(page.evaluate(script))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_state_at_a_glance(tmp_path, dark):
    fill(Settings.from_environment())
    theme = "dark" if dark else "light"
    with opened(tmp_path, CELLS[0], dark=dark) as page:
        page.wait_for_selector(".neo-row")
        assert page.locator(".neo-mark").all_inner_texts() == ["■", "✕", "✓", "✓", "✓"]
        assert row(page, "resnet18").locator(".neo-outcome").inner_text() == "9.8 → 4.1 ms"
        assert page.locator(".neo-sidebar button:has-text('Stop')").locator("visible=true").count() == 0
        width = page.locator(".neo-sidebar").evaluate("node => [node.clientWidth, node.scrollWidth]")
        assert width[0] <= 260
        assert width[1] == width[0]
        picture(page, f"list-{theme}")
        row(page, "resnet18").dblclick()
        page.wait_for_selector(".neo-document .neo-verdict")
        for tab, seen in (
            ("Log", ".neo-log div"),
            ("Comparison", ".neo-panel:visible svg[role=img]"),
            ("Profile", ".neo-bars tr"),
            ("Request", ".neo-code:has-text('CompilationJobName')"),
        ):
            page.click(f".neo-tab:has-text('{tab}')")
            page.wait_for_selector(seen)
            picture(page, f"{tab.lower()}-{theme}")
        page.click(".neo-choices button:has-text('%%compile')")
        page.wait_for_selector(".neo-code:has-text('%%compile --platform LINUX_X86_64 --input-shape')")
        picture(page, f"request-{theme}")


def test_search_and_groups(tmp_path):
    fill(Settings.from_environment())
    with opened(tmp_path, CELLS[0]) as page:
        page.wait_for_selector(".neo-row")
        page.fill(".neo-search", "rasp4b")
        page.wait_for_function("document.querySelectorAll('.neo-row').length === 1")
        page.fill(".neo-search", "nothing like this")
        page.wait_for_selector(".neo-notice:has-text('No job matches')")
        page.click(".neo-notice button")
        page.click(".neo-group[aria-label='Failed or stopped']")
        page.wait_for_function("document.querySelectorAll('.neo-row').length === 2")


def test_menu_deletes_and_inserts(tmp_path):
    fill(Settings.from_environment())
    with opened(tmp_path, CELLS[0]) as page:
        row(page, "resnet18").click(button="right")
        page.click(".lm-Menu-item:has-text('Insert Cell that Loads')")
        page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 2")
        assert 'Job.open("resnet18-local' in last_cell(page)
        row(page, "fancynet").click(button="right")
        picture(page, "menu")
        page.click(".lm-Menu-item:has-text('Delete Job')")
        page.click(".jp-Dialog button:has-text('Delete')")
        row(page, "fancynet").wait_for(state="detached")


def test_a_dragged_job_becomes_a_cell(tmp_path):
    fill(Settings.from_environment())
    with opened(tmp_path, CELLS[0]) as page:
        row(page, "resnet18").hover()
        page.mouse.down()
        target = page.locator(".jp-Notebook .jp-Cell").bounding_box()
        page.mouse.move(target["x"] + 60, target["y"] + target["height"] - 4, steps=12)
        page.mouse.up()
        page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 2")


def test_stop_from_the_sidebar_while_the_kernel_is_busy(tmp_path):
    slow = CELLS[1].replace(
        "nn.Conv2d(1, 16, 3)", "nn.Conv2d(1, 16, 3), *[nn.Conv2d(16, 16, 1) for _ in range(60)]"
    )
    with opened(tmp_path, CELLS[0], slow, BUSY) as page:
        command(page, "notebook:run-all-cells")
        stop = row(page, "digitsnet").locator("button:has-text('Stop')")
        stop.wait_for(timeout=60_000)
        picture(page, "running")
        stop.click()
        page.click(".jp-Dialog button:has-text('Keep it running')")
        stop.click()
        page.wait_for_selector(".jp-Dialog:has-text('Stop this job?')")
        picture(page, "stopping")
        page.click(".jp-Dialog button.jp-mod-warn:has-text('Stop')")
        page.wait_for_selector(".neo-mark:has-text('■')", timeout=60_000)
        picture(page, "stopped")


def test_an_end_is_told_and_the_document_comes_back_after_a_reload(tmp_path):
    with opened(tmp_path, *CELLS) as page:
        command(page, "filebrowser:activate")
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(".Toastify__toast", timeout=60_000)
        page.click(".Toastify__toast button:has-text('Open')", timeout=8_000)
        page.wait_for_selector(".neo-document .neo-status:has-text('Completed')", timeout=60_000)
        page.click(".neo-tab:has-text('Profile')")
        page.click("button:has-text('Time each kernel')")
        page.wait_for_selector(".neo-panel:visible .neo-magics:has-text('watched calls')", timeout=60_000)
        picture(page, "kernels")
        page.click(".neo-tab:has-text('Artifact')")
        page.wait_for_selector(".neo-facts:has-text('manifest.json')")
        picture(page, "artifact")
        with page.expect_download() as download:
            page.click("a:has-text('Download')")
        assert download.value.suggested_filename.endswith(".tar.gz")
        page.wait_for_timeout(2_000)  # lab writes its layout a second after a change
        page.goto(page.url.split("?")[0])
        page.wait_for_selector(".neo-document .neo-status:has-text('Completed')", timeout=60_000)


def test_compile_from_the_toolbar(tmp_path):
    cells = (CELLS[0], "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()")
    with opened(tmp_path, *cells) as page:
        command(page, "notebook:run-all-cells")
        page.click(".jp-NotebookPanel-toolbar >> text=Compile…", timeout=10_000)
        page.wait_for_selector(".neo-preview:has-text('%compile model --target local --input x -o job')")
        picture(page, "form")
        page.click(".jp-Dialog-button >> text=Compile", timeout=10_000)
        page.wait_for_selector(".neo-mark:has-text('✓')", timeout=90_000)
        assert last_cell(page) == "%compile model --target local --input x -o job"
