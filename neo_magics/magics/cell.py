"""Runs a cell in the user's namespace, as IPython would, and hands back the value of its last expression."""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True)
class CellCode:
    """A compiled cell: its statements, and its last expression if it ends with one."""

    body: CodeType
    last: CodeType | None

    @property
    def is_async(self) -> bool:
        """Whether the cell awaits at its top level."""
        codes = [self.body] if self.last is None else [self.body, self.last]
        return any(code.co_flags & inspect.CO_COROUTINE for code in codes)


def compile_cell(shell: Any, cell: str) -> CellCode:
    """`cell` with its magics and AST transformations applied, under IPython's name for a cell.

    Raises:
        SyntaxError: as for any cell; IPython shows it with its place.
    """
    source = shell.transform_cell(cell)
    name = shell.compile.cache(source, shell.execution_count, raw_code=cell)
    with shell.compile.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0):
        tree = shell.transform_ast(shell.compile.ast_parse(source, filename=name))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        body = shell.compile(tree, name, "exec")
        value = shell.compile(ast.Expression(last.value), name, "eval") if last else None
    return CellCode(body, value)


def run(shell: Any, code: CellCode) -> Any:
    """Runs the cell; what it raises passes through, and its traceback begins in the cell."""
    try:
        exec(code.body, shell.user_global_ns, shell.user_ns)
        return None if code.last is None else eval(code.last, shell.user_global_ns, shell.user_ns)
    except BaseException as error:
        _begin_in_cell(shell, error)
        raise


async def run_async(shell: Any, code: CellCode) -> Any:
    """As `run`, for a cell that awaits."""
    value = None
    try:
        for part in filter(None, (code.body, code.last)):
            value = eval(part, shell.user_global_ns, shell.user_ns)
            if part.co_flags & inspect.CO_COROUTINE:
                value = await value
    except BaseException as error:
        _begin_in_cell(shell, error)
        raise
    return value if code.last else None


def _begin_in_cell(shell: Any, error: BaseException) -> None:
    """Let IPython show `error` without the frames of the magic. SyntaxErrors it shows in its own way."""
    if isinstance(error, SyntaxError) or hasattr(error, "_render_traceback_") or error.__traceback__ is None:
        return
    inner = error.__traceback__.tb_next

    def render() -> list[str]:
        lines: list[str] = shell.InteractiveTB.structured_traceback(type(error), error, inner, tb_offset=0)
        return lines

    error._render_traceback_ = render  # type: ignore[attr-defined]
