"""Nothing of ours is in the way of assistive technologies or of those who use the keyboard alone."""

from __future__ import annotations

import pytest

from neo_magics.settings import Settings
from tests.browser.axe import findings, needs_axe
from tests.browser.lab import CELLS, MARKS, PANEL, SLOW, command, opened, picture
from tests.browser.seed import fill
from tests.test_labextension import installed

pytestmark = [*MARKS, installed]
FOCUSED = """text => {
    const { activeElement: node } = document;
    const { outlineStyle, outlineWidth } = getComputedStyle(node);
    const said = node.ariaLabel || node.innerText;
    return said.startsWith(text) && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1;
}"""


def press(page, key, then):
    """Press `key`; the focus is then, visibly, on what begins with the text `then`."""
    page.keyboard.press(key)
    page.wait_for_function(FOCUSED, arg=then)


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_in_lab(tmp_path, dark):
    fill(Settings.from_environment())
    model = "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()\n%neo ui"
    failed = "%neo show fancynet-ml-c5-20261123-103000-9f9f"
    with opened(tmp_path, CELLS[0], model, failed, SLOW, dark=dark, sidebar=True, width=1400) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(f"{PANEL} li.neo-started")
        page.wait_for_selector(".neo-sidebar button:has-text('Stop')")
        assert findings(page) == []
        page.click(".jp-Notebook button:has-text('Stop…')")
        page.wait_for_selector(".jp-Notebook button:has-text('Stop it')")
        assert findings(page) == []
        page.click(".jp-Notebook button:has-text('Stop it')")
        page.click(".jp-NotebookPanel-toolbar >> text=Compile…")
        page.wait_for_selector(".neo-preview")
        assert findings(page, ".neo-form") == []
        page.keyboard.press("Escape")
        page.locator(".neo-row[data-job^='resnet18']").dblclick()
        page.wait_for_selector(".neo-document .neo-verdict")
        for tab in page.locator(".neo-document .neo-tab").all():
            tab.click()
            page.wait_for_selector(".neo-panel:visible > :not(style), .neo-problem:visible")
            assert findings(page) == []
        page.locator(".neo-row[data-job^='fancynet']").dblclick()
        page.wait_for_selector(".neo-document:visible .neo-reason")
        assert findings(page) == []
        picture(page, f"accessible-{'dark' if dark else 'light'}")


def test_all_of_it_by_keyboard(tmp_path):
    fill(Settings.from_environment())
    with opened(tmp_path, CELLS[0], SLOW, sidebar=True, width=1400) as page:
        command(page, "notebook:run-all-cells")
        page.wait_for_selector(".neo-row[data-status='INPROGRESS']")
        page.focus(".neo-row[data-status='INPROGRESS']")
        press(page, "Tab", "Stop digitsnet")
        page.keyboard.press("Enter")
        page.wait_for_selector(".jp-Dialog:has-text('Stop this job?')")
        press(page, "Tab", "Stop")
        page.keyboard.press("Enter")
        page.wait_for_selector(".neo-row[data-status='STOPPED'][data-job^='digitsnet']")
        page.focus(".neo-row[data-job^='unet']")
        press(page, "ArrowDown", "fancynet")
        page.keyboard.press("Shift+F10")
        page.wait_for_selector(".lm-Menu-item:has-text('Open Job')")
        press(page, "Escape", "fancynet")
        press(page, "End", "resnet18")
        page.keyboard.press("Enter")
        page.wait_for_selector(".neo-document .neo-verdict")
        press(page, "Tab", "Insert cell")
        press(page, "Tab", "Overview")
        press(page, "ArrowLeft", "Artifact")
        press(page, "ArrowLeft", "Request")
        page.wait_for_selector(".neo-code:has-text('CompilationJobName')")  # its buttons come with it
        for label in ("JSON", "%%compile", "boto3", "aws cli", "Copy"):
            press(page, "Tab", label)
        picture(page, "keyboard-request")
