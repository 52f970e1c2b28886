"""Contrast of text on the panels' grounds by WCAG 2.2 (1.4.3, level AA: 4.5 to 1), light and dark."""

from __future__ import annotations

import re

import pytest

from neo_magics.widgets.style import _ACCENTS_DARK, _ACCENTS_LIGHT, _TEXT_SHARE, STYLE

# Text and ground of JupyterLab's and VS Code's themes, and of a plain page.
LIGHT = [("#212121", "#ffffff"), ("#3b3b3b", "#ffffff"), ("#000000", "#f8f8f8")]
DARK = [("#ffffff", "#111111"), ("#ffffff", "#212121"), ("#cccccc", "#1f1f1f"), ("#d5d5d5", "#383838")]
AA = 4.5


def channels(colour):
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def mixed(colour, ground, share):
    """`colour` over `ground` with an opacity of `share`."""
    return [share * a + (1 - share) * b for a, b in zip(colour, ground, strict=True)]


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def grounds(text, ground):
    """The panel's own ground, and the soft one of logs, which has `--neo-soft` of the text mixed in."""
    soft = int(re.search(r"--neo-soft:color-mix\(in srgb,currentColor (\d+)%", STYLE)[1]) / 100
    return [ground, mixed(text, ground, soft)]


def test_the_formula_is_wcags():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(channels("#767676"), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    ("accents", "theme"), [(_ACCENTS_LIGHT, LIGHT), (_ACCENTS_DARK, DARK)], ids=["light", "dark"]
)
def test_accents_can_be_read(accents, theme):
    named = dict(pair.split(":") for pair in accents.split(";"))
    assert len(named) == 7
    low = {
        (name, ground): round(contrast(channels(colour), channels(ground)), 2)
        for name, colour in named.items()
        for _text, ground in theme
    }
    assert {pair: ratio for pair, ratio in low.items() if ratio < AA} == {}


@pytest.mark.parametrize("theme", [LIGHT, DARK[:3]], ids=["light", "dark"])
def test_where_the_page_names_no_theme_accents_can_be_read_on_both(theme):
    named = dict(pair.split(":") for pair in _ACCENTS_LIGHT.split(";"))
    for text, ground in theme:
        for colour in named.values():
            seen = mixed(channels(text), channels(colour), _TEXT_SHARE / 100)
            assert contrast(seen, channels(ground)) >= AA, (colour, ground)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_muted_text_can_be_read(theme):
    opacities = {float(share) for share in re.findall(r"[;{ ]opacity:(\.\d+)", STYLE)}
    assert opacities
    for text, ground in theme:
        for behind in grounds(channels(text), channels(ground)):
            for share in opacities:
                assert contrast(mixed(channels(text), behind, share), behind) >= AA


def test_nothing_is_muted_twice():
    """Opacities of nested elements multiply."""
    assert ".neo-magics li.neo-waiting small{opacity:1}" in STYLE
