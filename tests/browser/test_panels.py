"""Panels over the life of a notebook: a kernel that restarts, a job that fails, a saved notebook."""

from __future__ import annotations

import subprocess
import sys

from neo_magics.settings import Settings
from tests.browser.lab import (
    CELLS,
    CHROMIUM,
    FLAGS,
    MARKS,
    PANEL,
    SCREENSHOTS,
    SLOW,
    command,
    opened,
    picture,
    show,
)
from tests.browser.seed import fill
from tests.test_labextension import installed

pytestmark = MARKS
FAILS = """%%compile --target ml_c5 --input x
class Odd(nn.Module):
    def forward(self, x):
        return torch.linalg.svdvals(x)

Odd().eval()"""  # singular values: the compiler finds none
RESTART = (
    "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart(); }"
)
SHUTDOWN = "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }"
# A cell that keeps the kernel busy until the test is done with it.
BUSY = "import os, time\nwhile not os.path.exists('enough'):\n    time.sleep(0.05)"
SEVERAL = (
    "%%compile --target local,ml_c4,rasp4b --input x -o jobs --no-cache\n"
    "nn.Sequential(nn.Flatten(), nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 4)).eval()"
)
THEME = """() => {
    void window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'});
}"""
# Panels that are wider than their place.
WIDE = """() => [...document.querySelectorAll('.jp-Notebook .neo-magics')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).length"""


def run(page, index):
    """Run one cell."""
    page.evaluate(
        "index => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = index; }", index
    )
    command(page, "notebook:run-cell")


@installed
def test_a_job_outlives_its_kernel_and_its_panel_catches_up(tmp_path):
    with opened(tmp_path, CELLS[0], SLOW, "%load_ext neo_magics\n%neo show", width=900) as page:
        run(page, 0)
        run(page, 1)
        page.wait_for_selector(f"{PANEL} li.neo-started")
        page.evaluate(RESTART)
        orphan = page.locator(".jp-CodeCell").nth(1)
        orphan.locator(".jupyter-widgets").wait_for(state="detached")
        orphan.locator(".neo-status:has-text('Compiling')").wait_for()
        picture(page, "panels-restarted")
        run(page, 2)
        shown = page.locator(".jp-CodeCell").nth(2)
        shown.locator("li.neo-done").first.wait_for()
        shown.locator(".neo-status:has-text('Compiling')").wait_for()
        picture(page, "panels-caught-up")
        shown.locator("button:has-text('Stop…')").click()
        shown.locator("button:has-text('Stop it')").click()
        for panel in (shown, orphan):
            panel.locator(".neo-status:has-text('Stopped')").wait_for()


@installed
def test_a_panel_that_was_saved_live_is_drawn_by_the_server_where_its_kernel_is_gone(tmp_path):
    with opened(tmp_path, CELLS[0], SLOW, width=900) as page:
        page.on("dialog", lambda dialog: dialog.accept())  # the notebook is not saved again
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} li.neo-started")
        command(page, "docmanager:save")
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
        page.evaluate(SHUTDOWN)
        show(page, f"{page.url.split('?')[0]}?reset")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Compiling')")
        assert page.locator(".jp-Notebook .jupyter-widgets").count() == 0
        command(page, "neo-magics:show")
        page.click(".neo-row button:has-text('Stop')")
        page.click(".jp-Dialog button.jp-mod-warn:has-text('Stop')")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Stopped')")
        picture(page, "panels-saved-live")


def test_a_failure_says_why_before_anything_else(tmp_path):
    with opened(tmp_path, CELLS[0], FAILS, width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} .neo-reason")
        picture(page, "panels-failed")
        assert "Next step:" in page.locator(f"{PANEL} .neo-reason").inner_text()
        assert page.locator(f"{PANEL} details[open]").count() == 0


def test_a_saved_notebook_reads_the_same_after_reload_and_as_html_offline(tmp_path):
    with opened(tmp_path, *CELLS, width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        verdict = page.locator(f"{PANEL} .neo-verdict").inner_text()
        command(page, "docmanager:save")
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
        page.goto(page.url.split("?")[0] + "?reset")
        page.wait_for_selector(f"{PANEL} .neo-verdict")
        picture(page, "panels-reloaded")
    convert = [sys.executable, "-m", "nbconvert", "--to", "html", str(tmp_path / "work" / "n.ipynb")]
    subprocess.run(convert, check=True, timeout=120, capture_output=True)
    assert verdict in offline(tmp_path / "work" / "n.html", SCREENSHOTS / "panels-nbconvert.png")


def offline(path, screenshot):
    """The text of an HTML file in a browser without a network; leaves a picture."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(offline=True, viewport={"width": 900, "height": 1000})
        page = context.new_page()
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        assert page.locator(".neo-magics svg[role=img]").count() == 2
        page.screenshot(path=screenshot)
        text = page.inner_text("body")
        browser.close()
        return text


def test_the_form_becomes_the_panel_of_the_job_that_it_files(tmp_path):
    model = "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()"
    with opened(tmp_path, CELLS[0], model, "%neo ui", width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} >> text=%compile model --target local --input x")
        page.locator(f"{PANEL} select").first.select_option(index=1)
        page.wait_for_selector(f"{PANEL} >> text=%compile model --target lambda --input x")
        picture(page, "panels-form")
        page.click(f"{PANEL} button:has-text('Compile')")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Completed')")
        page.wait_for_selector(f"{PANEL} button:has-text('Compile')", state="detached")


def is_busy(page, index):
    """Whether a cell is still running."""
    return page.locator(".jp-CodeCell .jp-InputArea-prompt").nth(index).inner_text() == "[*]:"


def test_the_panel_goes_on_and_stop_works_while_the_kernel_is_busy(tmp_path):
    with opened(tmp_path, CELLS[0], SLOW, BUSY, width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} li.neo-started")
        page.wait_for_function(
            "() => document.querySelectorAll('.jp-InputArea-prompt')[2].innerText === '[*]:'"
        )
        page.wait_for_selector(f"{PANEL} li.neo-done")
        log = page.locator(f"{PANEL} .neo-live pre")
        before = log.inner_text()
        page.wait_for_function(
            "before => document.querySelector('.neo-live pre').innerText !== before",
            arg=before,
            timeout=60_000,
        )
        page.click(".jp-Notebook button:has-text('Stop…')")
        page.click(".jp-Notebook button:has-text('Stop it')")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Stopped')")
        assert is_busy(page, 2)
        picture(page, "panels-stopped-while-busy")
        (tmp_path / "work" / "enough").touch()


def test_several_targets_share_a_panel_that_fits(tmp_path):
    with opened(tmp_path, CELLS[0], SEVERAL, width=1000) as page:
        command(page, "application:toggle-left-area")
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} .neo-job li.neo-started")
        picture(page, "panels-several-live")
        assert page.locator(f"{PANEL} .neo-job").count() == 3
        for width in (360, 1600):
            page.set_viewport_size({"width": width, "height": 1000})
            assert page.evaluate(WIDE) == 0
            picture(page, f"panels-several-live-{width}")
        page.wait_for_selector(f"{PANEL} .neo-verdict", timeout=120_000)
        rows = page.locator(f"{PANEL} table").last.locator("tbody tr")
        assert [row.split()[0] for row in rows.all_inner_texts()] == ["LINUX_X86_64", "ml_c4", "rasp4b"]
        assert "not measured on this machine" in rows.last.inner_text()
        for width in (360, 1000):
            page.set_viewport_size({"width": width, "height": 1400})
            assert page.evaluate(WIDE) == 0
            picture(page, f"panels-several-{width}")
        page.evaluate(THEME)
        page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
        picture(page, "panels-several-dark")


@installed
def test_after_a_reload_the_panel_goes_on_and_is_stopped_by_keyboard(tmp_path):
    """Its end is not blank, though lab does not know this output as the one that the kernel updates."""
    focused = "text => document.activeElement.innerText.trim() === text"
    with opened(tmp_path, CELLS[0], SLOW, width=900) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} li.neo-started")
        command(page, "docmanager:save")
        page.wait_for_function("!window.jupyterapp.shell.currentWidget.context.model.dirty")
        show(page, f"{page.url.split('?')[0]}?reset")
        page.click(".jp-InputPrompt >> nth=1")  # the cell whose panel it is
        page.focus(".jp-Notebook button:has-text('Stop…')")
        page.keyboard.press("Enter")
        page.wait_for_function(focused, arg="Keep it running")
        picture(page, "panels-asked")
        page.keyboard.press("Enter")
        page.wait_for_function(focused, arg="Stop…")
        page.keyboard.press("Enter")
        page.wait_for_function(focused, arg="Keep it running")
        page.keyboard.press("Shift+Tab")
        page.wait_for_function(focused, arg="Stop it")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Stopped')")
        page.wait_for_selector(".jp-Notebook .jupyter-widgets", state="detached")
        page.wait_for_function("document.activeElement.matches('.jp-CodeCell.jp-mod-active')")
        page.keyboard.press("ArrowUp")  # the notebook's own keys work
        page.wait_for_function("window.jupyterapp.shell.currentWidget.content.activeCellIndex === 0")


def test_interrupting_the_kernel_ends_the_waiting_and_not_the_job(tmp_path):
    with opened(
        tmp_path, CELLS[0], CELLS[1].replace("--no-cache", "--no-cache --no-compare --wait"), width=900
    ) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} li.neo-started")
        command(page, "notebook:interrupt-kernel")
        page.wait_for_selector(".jp-Notebook >> text=Come back with")
        page.wait_for_selector(f"{PANEL} .neo-status:has-text('Completed')")
        picture(page, "panels-interrupted")


@installed
def test_copy_works_also_where_the_policy_refuses_scripts_in_a_page(tmp_path):
    """JupyterLab itself needs eval, for its settings; inline scripts and handlers are refused."""
    fill(Settings.from_environment())
    cell = "%load_ext neo_magics\n%neo show resnet18-local-20261123-101530-ab12"
    with opened(tmp_path, cell, width=900, policy="script-src 'self' 'unsafe-eval'") as page:
        page.context.grant_permissions(["clipboard-read"])
        command(page, "notebook:run-all-cells")
        page.click(f"{PANEL} summary:has-text('Request')")
        page.click(f"{PANEL} summary:text-is('%%compile')")
        request = page.locator(f"{PANEL} details details[open]")
        request.locator("button:has-text('Copy')").click()
        request.locator("button:has-text('Copied')").wait_for()
        picture(page, "panels-copied")
        assert page.evaluate("navigator.clipboard.readText()") == request.locator("pre").inner_text()
