"""Panels without widgets, as VS Code, Colab, saved notebooks and paper show them: readable, not clipped.

The pages stand for the front ends: their theme marks and variables are set, and nothing else.
"""

from __future__ import annotations

import pytest

from tests.browser.axe import findings, needs_axe
from tests.browser.gallery import HOSTS, page
from tests.browser.lab import CHROMIUM, FLAGS, MARKS, SCREENSHOTS

pytestmark = MARKS
WIDE = """() => [document.documentElement, ...document.querySelectorAll('.neo-magics')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel || e.tagName)"""
CLIPPED = """() => [...document.querySelectorAll('.neo-scroll, .neo-copy, pre')]
    .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 60))"""
# Each text with its colour over its ground, opacities multiplied, as WCAG 2.2 counts contrast.
FAINT = """() => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    const rgba = colour => {
        pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], back) => [r, g, b].map((v, i) => a * v + (1 - a) * back[i]);
    const line = e => { const all = []; for (; e; e = e.parentElement) all.unshift(e); return all; };
    const behind = (back, e) => over(rgba(getComputedStyle(e).backgroundColor), back);
    const ground = e => line(e).reduce(behind, [255, 255, 255]);
    const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, w, i) => {
        const v = c[i] / 255;
        return sum + w * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    }, 0);
    const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        const seen = e.getClientRects().length && !e.closest('style, title');
        if (!walk.currentNode.data.trim() || !seen) continue;
        const style = getComputedStyle(e), back = ground(e);
        const colour = rgba(e instanceof SVGElement ? style.fill : style.color);
        colour[3] *= line(e).reduce((all, p) => all * getComputedStyle(p).opacity, 1);
        const [low, high] = [light(over(colour, back)), light(back)].sort((a, b) => a - b);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < 4.5) found.push(`${walk.currentNode.data.trim()}: ${ratio.toFixed(2)}`);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def opened(chromium, host, width):
    """A page with all panels, unfolded."""
    sheet = chromium.new_page(viewport={"width": width, "height": 900})
    sheet.set_content(page(host))
    sheet.evaluate("() => document.querySelectorAll('details').forEach(e => { e.open = true; })")
    return sheet


def picture(sheet, name):
    SCREENSHOTS.mkdir(exist_ok=True)
    sheet.screenshot(path=SCREENSHOTS / f"static-{name}.png", full_page=True)


@pytest.mark.parametrize("width", [266, 1600])  # the panel is 250 wide beside a margin
@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_clipped_and_every_word_can_be_read(chromium, host, width):
    sheet = opened(chromium, host, width)
    picture(sheet, f"{host}-{width}")
    assert sheet.evaluate(WIDE) == []
    assert sheet.evaluate(CLIPPED.replace(".neo-scroll, .neo-copy, pre", ".neo-sides, .neo-jobs")) == []
    assert sheet.evaluate(FAINT) == []
    sheet.close()


@pytest.mark.parametrize("width", [740, 545])  # A4 within its margins; beside nbconvert's prompts
@pytest.mark.parametrize("host", ["plain", "lab-light"])
def test_on_paper_nothing_scrolls_and_there_is_no_button(chromium, tmp_path, host, width):
    sheet = opened(chromium, host, width)
    sheet.emulate_media(media="print")
    picture(sheet, f"print-{width}")
    assert sheet.evaluate(CLIPPED) == []
    assert sheet.locator("button:visible").count() == 0
    sheet.pdf(path=tmp_path / "panels.pdf", format="A4", print_background=False)
    assert (tmp_path / "panels.pdf").read_bytes().startswith(b"%PDF")
    sheet.close()


def test_the_keyboard_reaches_what_can_be_opened_copied_and_scrolled(chromium):
    sheet = opened(chromium, "plain", 800)
    wanted = sheet.locator(".neo-magics summary, .neo-magics pre, .neo-magics button:visible").count()
    reached = 0
    sheet.keyboard.press("Tab")
    while sheet.evaluate("() => document.activeElement.matches('summary, pre, button')"):
        reached += 1
        sheet.keyboard.press("Tab")
        assert reached <= wanted
    assert reached == wanted > 20
    sheet.close()


@needs_axe
@pytest.mark.parametrize("host", HOSTS)
def test_axe_finds_nothing_in_panels_of_every_kind(chromium, host):
    sheet = opened(chromium, host, 900)
    assert findings(sheet) == []
    sheet.close()
