"""A loop over threads whose length is free wakes them only where there is much to do."""

from __future__ import annotations

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.sym import Analyzer

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
        updated = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
        for var, func in module.functions_items():
            if isinstance(func, tirx.PrimFunc):
                updated[var] = func.with_body(tvm_ffi.structural_map(func.body, [(tirx.For, _chosen)]))
        return updated


def _chosen(loop: Any) -> Any:
    if loop.kind != tirx.ForKind.PARALLEL or isinstance(loop.extent, tirx.IntImm):
        return loop
    enough = -(-PARALLEL_WORK // max(_work(loop.body), 1))
    if enough <= _least(loop.extent):
        return loop
    alone = tirx.For(loop.loop_var, loop.min, loop.extent, tirx.ForKind.SERIAL, loop.body)
    return tirx.IfThenElse(loop.extent < enough, alone, loop)


def _least(extent: Any) -> int:
    """The extent where each free size is 1."""
    alone = tvm_ffi.structural_map(extent, [(tirx.Var, lambda var: tirx.const(1, str(var.ty.dtype)))])
    least = Analyzer().simplify(alone)
    return int(least) if isinstance(least, tirx.IntImm) else 1


def _work(statement: Any) -> int:
    """About how many elements it stores to memory; a free loop counts as `FREE` turns."""
    if isinstance(statement, tirx.SeqStmt):
        return sum(map(_work, statement.seq))
    if isinstance(statement, tirx.IfThenElse):
        return max(_work(case) for case in (statement.then_case, statement.else_case) if case is not None)
    if isinstance(statement, tirx.BufferStore):
        lanes = int(statement.value.ty.dtype.lanes)
        return lanes if statement.buffer.scope() == "global" else -(-lanes // _SUMS)
    if isinstance(statement, tirx.For):
        turns = int(statement.extent) if isinstance(statement.extent, tirx.IntImm) else FREE
        return turns * _work(statement.body)
    return _work(statement.body) if hasattr(statement, "body") else 1
