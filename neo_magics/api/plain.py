"""What other programs wrote, as text that can be shown anywhere."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours and cursor moves (ECMA-48's CSI)
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # links and titles (OSC)
    r"|[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|[ -/]*[0-~])"
)
# Control characters but tab and newline; marks that turn the direction of what follows.
_HIDDEN = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


def plain(text: str) -> str:
    """`text` without escape sequences and control characters; of a line that was overwritten, what stayed.

    Without this a log's colours are noise in a panel, and a hostile line can move a terminal's cursor.
    """
    if text.isprintable():
        return text
    lines = _ESCAPES.sub("", text).split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2].translate(_HIDDEN) for line in lines)
