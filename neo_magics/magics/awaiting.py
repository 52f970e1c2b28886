"""Lets a magic be awaited, and keeps a bare %compile from showing its job twice.

IPython does not await what a magic returns. A transformer of the finished input puts `await` before the call
where the line says --wait (or the cell awaits), so that the kernel handles clicks meanwhile.
"""

from __future__ import annotations

import ast
import re

from neo_magics.errors import UsageError
from neo_magics.magics.words import split

_CALL = re.compile(
    r"(?P<before>\s*(?:[\w.\[\], ]+=\s*)?)"
    r"(?P<call>get_ipython\(\)\.run_(?:line|cell)_magic\('compile',.*\))\s*"
)


def is_awaited(line: str, cell: str | None = None) -> bool:
    """Whether the magic with this line and cell returns an awaitable."""
    try:
        return "--wait" in split(line) or bool(cell and re.search(r"\bawait\b", cell))
    except UsageError:
        return False  # the magic itself will say what is wrong with the line


def transform(lines: list[str]) -> list[str]:
    """Input lines with `await` where it is due, and a semicolon after a %compile that is not assigned."""
    return [_transformed(line) for line in lines]


def _transformed(line: str) -> str:
    match = _CALL.fullmatch(line)
    if match is None:
        return line
    arguments = [ast.literal_eval(arg) for arg in ast.parse(match["call"], mode="eval").body.args]  # type: ignore[attr-defined]
    waits = "await " if is_awaited(*arguments[1:]) else ""
    quiet = "" if "=" in match["before"] else ";"
    return f"{match['before']}{waits}{match['call']}{quiet}\n"
