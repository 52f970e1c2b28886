"""The sidebar, job documents and commands in JupyterLab, as a user sees them."""

from __future__ import annotations

from typing import Any

import pytest

from neo_magics.api.states import JobStatus
from neo_magics.settings import Settings
from tests.browser.lab import CELLS, MARKS, PANEL, SLOW, command, opened, picture, show, wait_until_saved
from tests.browser.seed import fill
from tests.test_labextension import installed

pytestmark = [*MARKS, installed]
BUSY = "import time\ntime.sleep(600)"


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
    with opened(tmp_path, CELLS[0], dark=dark, sidebar=True) as page:
        page.wait_for_selector(".neo-row")
        assert page.locator(".neo-mark").all_inner_texts() == ["■", "✕", "✓", "✓", "✓"]
        assert row(page, "resnet18").locator(".neo-outcome").inner_text() == "9.8 → 4.1 ms"
        assert page.locator(".neo-sidebar button:has-text('Stop')").locator("visible=true").count() == 0
        width = page.locator(".neo-sidebar").evaluate("node => [node.clientWidth, node.scrollWidth]")
        assert width[0] <= 260
        assert width[1] == width[0]
        picture(page, f"sidebar-list-{theme}")
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
            picture(page, f"sidebar-{tab.lower()}-{theme}")
        page.click(".neo-choices button:has-text('%%compile')")
        page.wait_for_selector(".neo-code:has-text('%%compile --platform LINUX_X86_64 --input-shape')")
        picture(page, f"sidebar-request-{theme}")


def test_search_and_groups_go_through_older_jobs_also_without_a_websocket(tmp_path):
    stage = fill(Settings.from_environment())

    def add(name: str) -> None:
        stage.move(stage.create(name), JobStatus.INPROGRESS, JobStatus.COMPLETED)

    for number in range(100):
        add(f"later-{number}")
    with opened(tmp_path, CELLS[0]) as page:
        page.route_web_socket("**/neo-magics/changes*", lambda socket: socket.close())
        show(page, page.url)
        command(page, "neo-magics:show")
        page.wait_for_selector(".neo-group:has-text('100+')")
        picture(page, "sidebar-many")
        add("even-later")
        page.wait_for_selector(".neo-row[data-job='even-later']")
        page.fill(".neo-search", "rasp4b")
        page.wait_for_function("document.querySelectorAll('.neo-row').length === 1")
        page.fill(".neo-search", "nothing like this")
        page.wait_for_selector(".neo-notice:has-text('No job matches.')")
        page.click(".neo-notice button:has-text('Show all')")
        page.click(".neo-group[data-group='failed']")
        page.wait_for_function("document.querySelectorAll('.neo-row').length === 2")


def test_a_job_becomes_a_cell_by_menu_and_by_dragging_and_is_deleted(tmp_path):
    stage = fill(Settings.from_environment())
    with opened(tmp_path, CELLS[0], sidebar=True) as page:
        row(page, "resnet18").click(button="right")
        page.click(".lm-Menu-item:has-text('Insert Cell that Loads')")
        page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 2")
        assert 'Job.open("resnet18-local' in last_cell(page)
        row(page, "resnet18").hover()
        page.mouse.down()
        target = page.locator(".jp-Notebook .jp-Cell").first.bounding_box()
        page.mouse.move(target["x"] + 60, target["y"] + target["height"] - 4, steps=12)
        page.mouse.up()
        page.wait_for_function("window.jupyterapp.shell.currentWidget.content.widgets.length === 3")
        row(page, "fancynet").click(button="right")
        picture(page, "sidebar-menu")
        page.click(".lm-Menu-item:has-text('Delete Job')")
        page.click(".jp-Dialog button:has-text('Delete')")
        row(page, "fancynet").wait_for(state="detached")
        row(page, "unet").dblclick()
        page.wait_for_selector(".neo-document .neo-status:has-text('Stopped')")
        name = row(page, "unet").get_attribute("data-job")
        stage.backend.sagemaker.delete_compilation_job(CompilationJobName=name)  # elsewhere
        page.wait_for_selector(".neo-document .neo-problem", state="visible")


def test_stop_from_the_sidebar_while_the_kernel_is_busy(tmp_path):
    with opened(tmp_path, CELLS[0], SLOW, BUSY, sidebar=True) as page:
        command(page, "notebook:run-all-cells")
        stop = row(page, "digitsnet").locator("button:has-text('Stop')")
        stop.wait_for()
        page.wait_for_selector(".neo-mark:has-text('●')")
        picture(page, "sidebar-running")
        stop.click()
        page.click(".jp-Dialog button:has-text('Keep it running')")
        stop.click()
        page.wait_for_selector(".jp-Dialog:has-text('Stop this job?')")
        picture(page, "sidebar-stopping")
        page.click(".jp-Dialog button.jp-mod-warn:has-text('Stop')")
        page.wait_for_selector(".neo-mark:has-text('■')")
        picture(page, "sidebar-stopped")


def test_an_end_is_told_and_the_document_comes_back_after_a_reload(tmp_path):
    with opened(tmp_path, *CELLS, sidebar=True) as page:
        command(page, "filebrowser:activate")
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(PANEL)
        command(page, "launcher:create")  # the user is elsewhere
        page.wait_for_selector(".Toastify__toast")
        page.click(".Toastify__toast button:has-text('Open')", timeout=8_000)
        page.wait_for_selector(".neo-document .neo-status:has-text('Completed')")
        page.click(".neo-tab:has-text('Profile')")
        page.click("button:has-text('Time each kernel')")
        page.wait_for_selector(".neo-panel:visible .neo-magics:has-text('watched calls')")
        picture(page, "sidebar-kernels")
        page.click(".neo-tab:has-text('Artifact')")
        page.wait_for_selector(".neo-facts:has-text('manifest.json')")
        picture(page, "sidebar-artifact")
        with page.expect_download() as download:
            page.click("a:has-text('Download')")
        assert download.value.suggested_filename.endswith(".tar.gz")
        wait_until_saved(page, '"tab":"artifact"')
        page.goto(page.url.split("/tree/")[0])  # with the notebook's name it would come to the front
        page.wait_for_selector(".neo-document .neo-status:has-text('Completed')")
        page.wait_for_selector(".neo-tab[aria-selected='true']:has-text('Artifact')")


def test_compile_from_the_toolbar(tmp_path):
    cells = (CELLS[0], "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()")
    with opened(tmp_path, *cells, sidebar=True) as page:
        page.wait_for_selector(".neo-notice:has-text('No jobs yet.')")
        picture(page, "sidebar-empty")
        command(page, "notebook:run-all-cells")
        page.click(".jp-NotebookPanel-toolbar >> text=Compile…")
        page.wait_for_selector(".neo-preview:has-text('%compile model --target local --input x -o job')")
        picture(page, "sidebar-form")
        page.click(".jp-Dialog-button >> text=Compile")
        page.wait_for_selector(".neo-mark:has-text('✓')", timeout=90_000)
        assert last_cell(page) == "%compile model --target local --input x -o job"
