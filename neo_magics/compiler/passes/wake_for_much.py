"""A loop over threads whose length is free wakes them only where there is much to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.sym import Analyzer

from neo_magics.compiler.passes import calls
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import FREE, PARALLEL_WORK

_SUMS = 4  # of a tile in registers that are made while one element is stored to memory


@tvm.transform.module_pass(opt_level=0, name="WakeForMuch")
class WakeForMuch:
    """parallel for i < n: f(i)  →  if n is small: for i < n: f(i), else: parallel for i < n: f(i).

    Waking the other threads takes 2 µs, as long as a small classifier needs for one row. A schedule has to
    guess a free batch; the machine code can look. Loops that are long for a batch of one stay as they are.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Look at every function that TVM has lowered."""
        return calls.rewrite_kernels(_looking, module)


def _looking(func: tirx.PrimFunc) -> tirx.PrimFunc:
    return func.with_body(tvm_ffi.structural_map(func.body, [(tirx.For, _chosen)]))


def _chosen(loop: Any) -> Any:
    if loop.kind != tirx.ForKind.PARALLEL or isinstance(loop.extent, tirx.IntImm):
        return loop
    work = _work(loop, tirx.analysis.undefined_vars(loop))
    if _least(work) >= PARALLEL_WORK:
        return loop
    alone = tirx.For(loop.loop_var, loop.min, loop.extent, tirx.ForKind.SERIAL, loop.body)
    return tirx.IfThenElse(work < tirx.const(PARALLEL_WORK, "int64"), alone, loop)


def _least(work: Any) -> int:
    """The work where each free size is 1."""
    ones = tvm_ffi.structural_map(work, [(tirx.Var, lambda var: tirx.const(1, str(var.ty.dtype)))])
    least = Analyzer().simplify(ones)
    return int(least) if isinstance(least, tirx.IntImm) else 0


def _work(statement: Any, known: Sequence[Any]) -> Any:
    """About how many elements it stores to memory, by the variables `known` where the loop begins.

    A loop whose turns others decide counts as `FREE`.
    """
    if isinstance(statement, tirx.SeqStmt):
        return sum(_work(part, known) for part in statement.seq)
    if isinstance(statement, tirx.IfThenElse):
        cases = (statement.then_case, statement.else_case)
        return sum(_work(case, known) for case in cases if case is not None)
    if isinstance(statement, tirx.BufferStore):
        lanes = int(statement.value.ty.dtype.lanes)
        return lanes if statement.buffer.scope() == "global" else -(-lanes // _SUMS)
    if isinstance(statement, tirx.For):
        return _turns(statement.extent, known) * _work(statement.body, known)
    return _work(statement.body, known) if hasattr(statement, "body") else 1


def _turns(extent: Any, known: Sequence[Any]) -> Any:
    if isinstance(extent, tirx.IntImm):
        return int(extent)
    free = all(any(var.same_as(each) for each in known) for var in loops.variables(extent))
    return tirx.Cast("int64", extent) if free else FREE
