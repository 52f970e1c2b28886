"""Packed convolution, with what was fused behind it, and the scale of a squeeze-excite before it."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.channels import SCALE
from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block
from neo_magics.compiler.schedules.pieces import Pieces, cut, too_few
from neo_magics.compiler.schedules.prefetch import places, prefetch_slabs
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize
from neo_magics.compiler.schedules.skip_rows import RowsInside

_PACKED_RANK = 5


def schedule_convolution(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.conv2d: N O/v H W v, any window, with an element-wise epilogue.

    The tile of (columns × output blocks) vectors stays in registers over all input channels and the window;
    the epilogue is computed on it before it is stored. Threads share the pieces of schedules.pieces, or,
    `across` the channels, batch × rows × blocks. What a piece reads padded or scaled it copies itself.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    conv = loops.find_annotated(sch, KERNEL, CONV2D)
    if conv is None:
        return None
    columns, blocks, across = loops.numbers(sch, conv, TILE)
    copies = [block for block in sch.get_producers(conv) if _is_copy(sch, block)]
    loops.inline_into_consumers(sch, keep=copies)
    operations = loops.work(sch, conv)
    out = loops.sole_consumer(sch, conv)
    n, channel, row, column, lane = sch.get_loops(out)
    column_out, column_in = sch.split(column, [None, columns])
    channel_out, channel_in = sch.split(channel, [None, blocks])
    nest = n, channel_out, row
    pieces = Pieces([n, row, channel_out], [], (2,)) if across else cut(sch, conv, nest, copies, machine)
    sch.reorder(*pieces.outer, *pieces.inner, column_out, channel_in, column_in, lane)
    unroll_and_vectorize(sch, [channel_in, column_in, lane])
    order = [*pieces.outer, *pieces.inner]
    counts = [loops.extent(sch, loop) for loop in order]
    shared = pieces.shared
    if not pieces.own_copies and too_few(sch, shared, machine):
        shared = [*shared, column_out]
    inside = [*order, column_out][len(shared) :]
    counts.append(loops.extent(sch, column_out))
    place = loops.fused(sch, shared, operations)
    reduced = accumulate_at(sch, conv, inside[-1] if inside else place)
    for block in copies:
        if pieces.own_copies:
            sch.compute_at(block, place, preserve_unit_loops=True)
            vectorize_copy(sch, block)
        else:
            schedule_padding(sch, block, operations)
    levels = places(sch, counts, place, inside)
    slabs = [levels[level] for level in pieces.channels]
    rows = RowsInside.of(sch, conv, [block for block in copies if loops.is_padding(sch, block)])
    sch = prefetch_slabs(sch, conv, reduced, slabs, levels[pieces.channels[-1] + 1 :])
    return sch if rows is None else rows.skipped(sch)


def _is_copy(sch: Schedule, block: Block) -> bool:
    return loops.is_padding(sch, block) or loops.annotation(sch, block, KERNEL) == SCALE


def vectorize_copy(sch: Schedule, block: Block) -> None:
    """The lanes of a packed copy become a vector."""
    if len(sch.get(block).iter_vars) == _PACKED_RANK:
        sch.vectorize(sch.get_loops(block)[-1])


def schedule_padding(sch: Schedule, block: Block, operations: int) -> None:
    """A copy by itself: rows over threads where the convolution is worth them too."""
    vectorize_copy(sch, block)
    loops.parallel(sch, sch.get_loops(block)[:3], min(operations, loops.work(sch, block)))
