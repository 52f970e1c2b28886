"""Packed convolution in tiles with a tail, and transposed convolution in phases."""

from __future__ import annotations

from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d_tiles import CONV2D_TILES
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.convolution import schedule_padding
from neo_magics.compiler.schedules.pieces import too_few
from neo_magics.compiler.schedules.prefetch import places, prefetch_slabs
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize
from neo_magics.compiler.schedules.skip_rows import RowsInside

_OUTPUT_RANK = 5  # N O/v H W v


def schedule_convolution_tiles(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.conv2d_tiles: N O/v H W v with an element-wise epilogue.

    (columns × phases of a row × output blocks) vectors stay in registers over all input channels and the
    window; only the columns inside the image are stored. Threads share batch × blocks × rows, or, `across`
    the channels, batch × rows × blocks.
    """
    sch = loops.schedule_of(func)
    conv = loops.find_annotated(sch, KERNEL, CONV2D_TILES)
    if conv is None:
        return None
    columns, blocks, high, wide, across = loops.numbers(sch, conv, TILE)
    padding = [block for block in sch.get_producers(conv) if loops.is_padding(sch, block)]
    loops.inline_into_consumers(sch, keep=padding)
    operations = loops.work(sch, conv)
    out = loops.sole_consumer(sch, conv)
    if len(sch.get_loops(out)) != _OUTPUT_RANK:
        return None
    n, channel, y, x, lane = sch.get_loops(out)
    row, down = sch.split(y, [None, high])
    column_out, column_in, right = sch.split(x, [None, columns, wide])
    channel_out, channel_in = sch.split(channel, [None, blocks])
    shared = [n, row, channel_out] if across else [n, channel_out, row]
    sch.reorder(*shared, down, column_out, channel_in, column_in, right, lane)
    unroll_and_vectorize(sch, [channel_in, column_in, right, lane])
    counts = [loops.extent(sch, loop) for loop in [*shared, column_out]]
    inside = [column_out]
    if too_few(sch, shared, machine):
        shared, inside = [*shared, down, column_out], []
    place = loops.fused(sch, shared, operations)
    reduced = accumulate_at(sch, conv, inside[-1] if inside else place)
    for block in padding:
        schedule_padding(sch, block, operations)
    rows = RowsInside.of(sch, conv, padding)
    # The weights of more phases do not lie in one piece, and places of free loops are not counted.
    if high * wide == 1 and None not in counts[1:]:
        nest, channel = places(sch, counts, place, inside), shared.index(channel_out)
        sch = prefetch_slabs(sch, conv, reduced, [nest[channel]], nest[channel + 1 :])
    return sch if rows is None else rows.skipped(sch)
