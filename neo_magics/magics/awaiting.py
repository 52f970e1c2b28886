"""Lets a magic be awaited, and keeps a bare %compile from showing its job twice.

IPython does not await what a magic returns. A transformer of the finished input puts `await` before the call
where the line says --wait (or the cell awaits), so that the kernel handles clicks meanwhile.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings

from IPython.core.interactiveshell import InteractiveShell

from neo_magics.errors import UsageError
from neo_magics.magics.words import split

# At the end of the line of a call that was given its `await`: the cell that loads the extension has none.
MARK = " --awaited"
_CALL = re.compile(
    r"(?P<before>\s*(?:[\w.\[\], ]+=\s*)?)"
    r"(?P<call>get_ipython\(\)\.run_(?:line|cell)_magic\('compile',.*\))\s*"
)
# Another magic, such as %time, whose value is that of the %compile it ends with.
_AROUND = re.compile(r"\s*(?P<call>get_ipython\(\)\.run_(?:line|cell)_magic\('\w+',.*\))\s*")
_ENDS_WITH_COMPILE = re.compile(r"(?:^|\n)\s*%compile(?:\s[^\n]*)?\s*$")


def transform(lines: list[str]) -> list[str]:
    """Input lines with `await` where it is due, and a semicolon after a %compile that is not assigned,
    also where %time runs it: the panel shows the job already.

    None is due where nothing could await: in a def, and in what another magic runs (%time, %%capture).
    """
    awaited = [_transformed(line, may_await=not _is_inside_a_cell()) for line in lines]
    if not any(MARK in line for line in awaited) or _can_be_compiled("".join(awaited)):
        return awaited
    return [_transformed(line, may_await=False) for line in lines]


def catch_up(shell: InteractiveShell) -> None:
    """Silence the cell that loads the extension where `transform`, which it was too early for, would have.

    IPython looks for the semicolon in its history.
    """
    parsed = shell.history_manager.input_hist_parsed if shell.history_manager else []
    if parsed and "".join(transform(parsed[-1].splitlines(keepends=True))).rstrip().endswith(";"):
        parsed[-1] = f"{parsed[-1].rstrip()};\n"


def unmarked(line: str) -> tuple[str, bool]:
    """A magic's line as its user wrote it, and whether the call is awaited."""
    return line.removesuffix(MARK), line.endswith(MARK)


def _is_due(line: str, cell: str | None = None) -> bool:
    try:
        words = split(line)
        asks_help = "--help" in words or "-h" in words
        return not asks_help and ("--wait" in words or bool(cell and re.search(r"\bawait\b", cell)))
    except UsageError:
        return False  # the magic itself will say what is wrong with the line


def _is_inside_a_cell() -> bool:
    """Whether a cell is being run by the frames above."""
    frame, code = sys._getframe(), InteractiveShell.run_code.__code__
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_code is code:
            return True
    return False


def _can_be_compiled(source: str) -> bool:
    with warnings.catch_warnings(action="ignore"):  # IPython will give them
        try:
            compile(source, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        except SyntaxError:
            return False
    return True


def cells_of(lines: list[str]) -> list[str]:
    """The cells that the finished input hands to %%compile."""
    calls = filter(None, (_CALL.fullmatch(line) for line in lines))
    return [cell for _line, *cells in map(_arguments, calls) for cell in cells]


def _arguments(call: re.Match[str]) -> list[str]:
    """The magic's line, and its cell if it has one."""
    parsed = ast.parse(call["call"], mode="eval").body
    return [ast.literal_eval(argument) for argument in parsed.args[1:]]  # type: ignore[attr-defined]


def _shows_again(text: str) -> bool:
    """Whether another magic runs a %compile last and would show its job beside the panel."""
    match = _AROUND.fullmatch(text)
    return bool(match and _ENDS_WITH_COMPILE.search(_arguments(match)[-1]))


def _transformed(text: str, *, may_await: bool) -> str:
    match = _CALL.fullmatch(text)
    if match is None:
        return f"{text.rstrip()};\n" if _shows_again(text) else text
    line, *cells = _arguments(match)
    waits = may_await and _is_due(line, *cells)
    cells = ["\n" if cell == "" else cell for cell in cells]  # IPython refuses "", --help or not
    arguments = ", ".join(map(repr, [line + MARK * waits, *cells]))
    call = f"get_ipython().run_{'cell' if cells else 'line'}_magic('compile', {arguments})"
    quiet = "" if "=" in match["before"] else ";"
    return f"{match['before']}{'await ' * waits}{call}{quiet}\n"
