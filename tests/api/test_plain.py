"""Text of other programs before it is shown."""

from __future__ import annotations

import pytest

from neo_magics.api.events import LogLine, parse
from neo_magics.api.plain import plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("größe 模型 ✓ <b>", "größe 模型 ✓ <b>"),
        ("a\tb\nc", "a\tb\nc"),
        ("\x1b[31mred\x1b[0m, \x1b[1;38;5;82mgreen\x1b[m", "red, green"),
        ("\x1b[2K\x1b[1Gback", "back"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\ after", "link after"),
        ("\x1b]0;title", ""),
        ("\x1b(Btext\x1b=", "text"),
        ("10 %\r 20 %\r100 %\r\nnext", "100 %\nnext"),
        ("nul\x00 bell\x07 c1\x9b", "nul bell c1"),
        ("\u202egnp.exe\u202c\u2066x\u2069", "gnp.exex"),
        ("\x1b", ""),
    ],
)
def test_what_is_shown(written, shown):
    assert plain(written) == shown


def test_log_lines_are_plain():
    assert parse("\x1b[33mwarning\x1b[0m: slow") == LogLine("warning: slow")
