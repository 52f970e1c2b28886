"""Weights that a product is about to need, asked for while it still computes with others.

The weights of a model are more than its caches hold, so each kernel finds its own in memory. A processor's
prefetcher begins anew at each page, and the first tile that reads a weight would wait: that is a fifth of the
time of a 1×1 convolution, and a third of a Winograd one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop

LINE = 16  # floats of a cache line
LARGEST = 640 * 1024  # bytes of a slab; of a larger one the beginning would be gone again before it is read
_READ, _NEAR, _DATA = 0, 2, 1  # llvm.prefetch: to read it, into the second cache, not code


@dataclass(frozen=True)
class Place:
    """Where a nest of loops is on one level: `number` (an expression) of `count`."""

    number: Any
    count: int


def prefetch_slabs(
    sch: Schedule, product: Block, reduced: Sequence[Loop], slabs: Sequence[Place], turns: Sequence[Place]
) -> Schedule:
    """Ask for the lines of the next slab of weights, a few in each step of the `reduced` loops.

    A slab is what a tile reads over all of its reductions, and lies in one piece: `slabs` count them in the
    order in which they lie and are used. All `turns` of tiles with this slab ask for an even part of the next
    one. Asking beyond the end does no harm.
    """
    weight = _weight(sch, product)
    slab, turn = _joined(slabs), _joined(turns)
    size = math.prod(int(extent) for extent in weight.shape) // slab.count
    if slab.count == 1 or size % LINE or 4 * size > LARGEST:
        return sch
    lines = size // LINE
    nest = [Place(sch.get(loop).loop_var, loops.extent(sch, loop) or 1) for loop in reduced]
    depth = next((d for d in range(len(nest), 1, -1) if _steps(nest[:d], turn) <= lines), 1)
    step, steps = _joined([turn, *nest[:depth]]), _steps(nest[:depth], turn)
    first = tirx.floordiv(step.number * lines, steps)
    begin = (slab.number + 1) * size
    requests = [_request(weight, begin + (first + line) * LINE) for line in range(-(-lines // steps))]
    return _before_each_step(sch, sch.get(reduced[depth - 1]), requests)


def places(sch: Schedule, counts: Sequence[int | None], fused: Loop, rest: Sequence[Loop]) -> list[Place]:
    """The places of loops with these `counts`, of which all but the `rest` became the one loop `fused`.

    Only the first count may be free.
    """
    merged = len(counts) - len(rest)
    variable = sch.get(fused).loop_var
    found = []
    for level, count in enumerate(counts[:merged]):
        inner = math.prod(size or 1 for size in counts[level + 1 : merged])
        number = tirx.floordiv(variable, inner)
        found.append(Place(tirx.floormod(number, count) if level and count else number, count or 1))
    return found + [Place(sch.get(loop).loop_var, loops.extent(sch, loop) or 1) for loop in rest]


def _joined(levels: Sequence[Place]) -> Place:
    """All levels as one."""
    number: Any = 0
    for level in levels:
        number = number * level.count + level.number
    return Place(number, math.prod(level.count for level in levels))


def _steps(nest: Sequence[Place], turn: Place) -> int:
    return turn.count * math.prod(level.count for level in nest)


def _weight(sch: Schedule, product: Block) -> Any:
    """The second operand."""
    node = sch.get(product)
    return [read.source for read in node.reads if not read.source.same_as(node.writes[0].source)][-1]


def _request(buffer: Any, place: Any) -> Any:
    address = tirx.address_of(buffer[(*[0] * (len(buffer.shape) - 1), place)])
    return tirx.Evaluate(tirx.call_intrin("void", "tirx.prefetch", address, _READ, _NEAR, _DATA))


def _before_each_step(sch: Schedule, step: Any, requests: Sequence[Any]) -> Schedule:
    def extended(loop: Any) -> Any:
        if not loop.loop_var.same_as(step.loop_var):
            return loop
        body = tirx.SeqStmt([*requests, loop.body])
        return tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body)

    func = sch.mod["main"]
    body = tvm_ffi.structural_map(func.body, [(tirx.For, extended)])
    return Schedule(tvm.IRModule({"main": func.with_body(body)}))
