"""Choices that differ from lane to lane of a vector loop.

TVM writes a vector loop with such a choice as a plain one, and LLVM 22's loop vectoriser may read
`table[k % 8]` of the lanes 0 to 15 as sixteen numbers in a row (with registers of 512 bits: half of a small
rotary embedding was wrong). Unrolled, each lane's choice is known, and nothing is left to vectorise.
"""

from __future__ import annotations

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir import SBlockRealize, Schedule
from tvm.sym import Analyzer

from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop


def vectorize(sch: Schedule, block: Block, lane: Loop) -> None:
    """Make vectors of the block's innermost loop, or lanes one by one where each takes its own way."""
    (sch.unroll if _differ(sch, block, lane) else sch.vectorize)(lane)


def _differ(sch: Schedule, block: Block, lane: Loop) -> bool:
    """Whether the lane alone decides each choice in the block, and not all lanes alike."""
    size, loop = loops.extent(sch, lane), sch.get(lane)
    conditions = _conditions(sch.get(block).body)
    if size is None or not conditions or not isinstance(loop.body, SBlockRealize):
        return False
    iterators = [iterator.var for iterator in loop.body.block.iter_vars]
    values = dict(zip(iterators, loop.body.iter_values, strict=True))
    found = [_decided(_replaced(condition, values), loop.loop_var, size) for condition in conditions]
    return all(ways for ways in found) and any(len(ways) > 1 for ways in found)


def _conditions(body: Any) -> list[Any]:
    found: list[Any] = []

    def look(call: Any) -> None:
        if isinstance(call.op, tvm.ir.Op) and call.op.name == "prim.if_then_else":
            found.append(call.args[0])

    tvm_ffi.structural_walk(body, (tvm.ir.Call, look), order="post")
    return found


def _decided(condition: Any, lane: Any, size: int) -> set[int]:
    """What the condition is in the lanes; nothing where something else has a say in it."""
    analyzer, ways = Analyzer(), set()
    for number in range(size):
        way = analyzer.simplify(_replaced(condition, {lane: tirx.const(number, lane.ty.dtype)}))
        if not isinstance(way, tirx.IntImm):
            return set()
        ways.add(int(way))
    return ways


def _replaced(expression: Any, values: dict[Any, Any]) -> Any:
    return tvm_ffi.structural_map(expression, [(tvm.ir.Var, lambda var: values.get(var, var))])
