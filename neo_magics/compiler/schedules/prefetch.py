"""Weights that a product is about to need, asked for while it still computes with others."""

from __future__ import annotations

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.schedules.loops import Block, Loop

LINE = 16  # floats of a cache line
_READ, _KEEP, _DATA = 0, 3, 1  # llvm.prefetch: to read it, into the first cache, not code


def prefetch_panels(sch: Schedule, product: Block, depth: Loop, tiles: int | None) -> Schedule:
    """Ask for the next panel's lines, a few in each step of `depth`, over all `tiles` of this panel's rows.

    The processor's own prefetcher stops at each page, and a panel's first tile would wait for memory. With
    one tile each weight is used once, and nothing but memory counts. Asking beyond the end does no harm.
    """
    outermost, step = sch.get(sch.get_loops(product)[0]), sch.get(depth)
    weight = _weight(sch, product)
    if outermost.kind != tirx.ForKind.PARALLEL or weight is None or tiles is None or tiles == 1:
        return sch
    _panels, length, panel = (int(size) for size in weight.shape)
    which = tirx.floordiv(outermost.loop_var, tiles) + 1
    steps = tirx.floormod(outermost.loop_var, tiles) * length + step.loop_var
    place = tirx.floordiv(steps * panel, tiles)
    lines = -(-panel // (tiles * LINE))
    requests = [_prefetch(weight, [which, 0, place + line * LINE]) for line in range(lines)]

    def extended(loop: Any) -> Any:
        if not loop.loop_var.same_as(step.loop_var):
            return loop
        body = tirx.SeqStmt([*requests, loop.body])
        return tirx.For(loop.loop_var, loop.min, loop.extent, loop.kind, body)

    func = sch.mod["main"]
    body = tvm_ffi.structural_map(func.body, [(tirx.For, extended)])
    return Schedule(tvm.IRModule({"main": func.with_body(body)}))


def _weight(sch: Schedule, product: Block) -> Any | None:
    """The packed operand, which has three dimensions."""
    node = sch.get(product)
    operands = [read.source for read in node.reads if not read.source.same_as(node.writes[0].source)]
    return next((buffer for buffer in operands if len(buffer.shape) == 3), None)


def _prefetch(buffer: Any, place: list[Any]) -> Any:
    address = tirx.address_of(buffer[tuple(place)])
    return tirx.Evaluate(tirx.call_intrin("void", "tirx.prefetch", address, _READ, _KEEP, _DATA))
