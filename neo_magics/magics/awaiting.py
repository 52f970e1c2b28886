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


def cells_of(lines: list[str]) -> list[str]:
    """The cells that the finished input hands to %%compile."""
    calls = filter(None, (_CALL.fullmatch(line) for line in lines))
    return [cell for _line, *cells in map(_arguments, calls) for cell in cells]


def _arguments(call: re.Match[str]) -> list[str]:
    """The magic's line, and its cell if it has one."""
    parsed = ast.parse(call["call"], mode="eval").body
    return [ast.literal_eval(argument) for argument in parsed.args[1:]]  # type: ignore[attr-defined]


def _transformed(text: str) -> str:
    match = _CALL.fullmatch(text)
    if match is None:
        return text
    line, *cells = _arguments(match)
    waits = "await " if is_awaited(line, *cells) else ""
    if cells == [""]:  # which IPython refuses, --help or not
        return f"{match['before']}{waits}get_ipython().run_cell_magic('compile', {line!r}, '\\n')\n"
    quiet = "" if "=" in match["before"] else ";"
    return f"{match['before']}{waits}{match['call']}{quiet}\n"
