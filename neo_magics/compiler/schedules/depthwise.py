"""Depthwise convolution on packed channels, alone or with the 1×1 convolution before it."""

from __future__ import annotations

import math

from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.kernels.depthwise import DEPTHWISE
from neo_magics.compiler.kernels.tiles import divisors, register_tile
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.into_padding import write_into_padding
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize
from neo_magics.compiler.schedules.skip_rows import RowsInside

STRIP_BYTES = 24 * 1024  # of padded data that stays in the first cache
CACHE_BYTES = 256 * 1024  # of expanded data for one thread
NEAR_BYTES = 512 * 1024  # of a strip's expanded data and its padded copy
EXPANDED_TWICE = 0.15  # of the rows, at most
FEW_ROWS = 4  # of a strip of an image of free size
STRAIGHT = 256  # multiply-adds written out one after the other, at most


def schedule_depthwise(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.depthwise: N C/v H W v, any window, with an element-wise epilogue.

    A tile of columns stays in registers over the window, which is written out, so that neighbouring sums
    share what they load; the epilogue is computed on it before it is stored. The padded copy is made strip
    by strip in the first cache. Where the kernel begins with the 1×1 convolution that makes its data (the
    inverted residual of MobileNetV2), a piece is a strip of rows of some blocks of channels: it is
    expanded, between zeros, and filtered in the second cache, and never goes to memory.
    """
    sch = loops.schedule_of(func)
    filtered = loops.find_annotated(sch, KERNEL, DEPTHWISE)
    if filtered is None:
        return None
    columns, _blocks = loops.numbers(sch, filtered, TILE)
    expansion = loops.find_annotated(sch, KERNEL, CONV2D)
    padding = [block for block in sch.get_producers(filtered) if loops.is_padding(sch, block)]
    expanded = _end_of(sch, expansion, padding) if expansion is not None else None
    loops.inline_into_consumers(sch, keep=[*padding, *([expanded] if expanded is not None else [])])
    operations = loops.work(sch, filtered)
    out = loops.sole_consumer(sch, filtered)
    n, channel, row, column, lane = sch.get_loops(out)
    tile = (1, 1)
    if expanded is not None:
        strips = strips_of([image_of(sch, block) for block in (out, expanded, padding[0])], machine)
        tile = _expansion_tile(sch, expanded, strips, machine)
        channel, inner = sch.split(channel, [None, tile[1]])
        strip, row = sch.split(row, [strips, None])
        sch.reorder(n, strip, channel, inner, row)
        operations, outer = operations + loops.work(sch, expansion), [n, strip, channel]
    else:
        strip, row = sch.split(row, [None, _strip_rows(sch, out, padding)])
        sch.reorder(n, strip, channel, row)
        outer = [n, strip, channel]
    column_out, column_in = sch.split(column, [None, columns])
    unroll_and_vectorize(sch, [column_in, lane])
    place = loops.fused(sch, outer, operations)
    _accumulate(sch, filtered, column_out)
    for block in padding:
        sch.compute_at(block, place, preserve_unit_loops=True)
        sch.vectorize(sch.get_loops(block)[-1])
    if expanded is not None:
        _expand(sch, expansion, expanded, place, tile)
    inside = RowsInside.of(sch, filtered, padding)
    if expanded is not None:
        sch = write_into_padding(sch, padding[0])
    return sch if inside is None else inside.skipped(sch)


def _expansion_tile(sch: Schedule, out: Block, strips: int, machine: Machine) -> tuple[int, int]:
    """(columns, blocks of channels) of the expanded data at once; a thread's share is never less."""
    blocks, columns = (loops.extent(sch, loop) or 1 for loop in sch.get_loops(out)[1:4:2])
    strip = -(-image_of(sch, out)[1] // strips)
    widest = min(4, CACHE_BYTES // strip, blocks * strips // (2 * max(machine.cores, 2)))
    return register_tile(columns, blocks, machine, widest=max(widest, 1))


def _end_of(sch: Schedule, expansion: Block, padding: list[Block]) -> Block:
    """The block that holds the expanded data: the end of the first convolution's epilogue."""
    reader = padding[0]
    [producer] = sch.get_producers(reader)
    if sch.get(producer).name_hint == sch.get(expansion).name_hint:
        return sch.cache_write(expansion, 0, "local")
    return producer


def _expand(sch: Schedule, expansion: Block, expanded: Block, place: Loop, tile: tuple[int, int]) -> None:
    """The 1×1 convolution for some blocks of channels, into a buffer that the next stage reads back soon."""
    sch.compute_at(expanded, place, preserve_unit_loops=True)
    *_, channel, row, column, lane = sch.get_loops(expanded)
    column_out, column_in = sch.split(column, [None, tile[0]])
    sch.reorder(row, column_out, channel, column_in, lane)
    unroll_and_vectorize(sch, [channel, column_in, lane])
    accumulate_at(sch, expansion, column_out)


def strips_of(images: list[tuple[int, int]], machine: Machine) -> int:
    """Strips of rows, so that each thread finds the rows that it has made in the layer before.

    Neighbouring strips both expand the rows that both read, of which there must be few. `images` are the
    (rows, bytes) of a block of the result, of what is expanded and of its padded copy.
    """
    (rows, _size), (made, one), (padded, other) = images
    common, threads = max(padded - rows * round(made / rows), 0), max(machine.cores, 2)
    few = [count for count in divisors(rows) if (count - 1) * common <= EXPANDED_TWICE * made]
    whole = [count for count in few if count % threads == 0]
    near = [count for count in whole if (one + other) / count <= NEAR_BYTES]
    return min(near, default=max(whole or [count for count in few if threads % count == 0]))


def image_of(sch: Schedule, block: Block) -> tuple[int, int]:
    """(rows, bytes) of a block of channels that `block` makes."""
    rows, *others = (int(size) for size in sch.get(block).writes[0].source.shape[2:])
    return rows, 4 * rows * math.prod(others)


def _strip_rows(sch: Schedule, out: Block, padding: list[Block]) -> int:
    """Rows of the result whose padded data fits the first cache."""
    if not padding:
        return 1
    if None in (loops.extent(sch, loop) for loop in sch.get_loops(out)[2:]):
        return FEW_ROWS
    rows, _width, lanes = (loops.extent(sch, loop) or 1 for loop in sch.get_loops(out)[2:])
    *_, padded_rows, padded_width, _lanes = (
        loops.extent(sch, loop) or 1 for loop in sch.get_loops(padding[0])
    )
    bytes_per_row = 4 * lanes * padded_width * padded_rows / rows
    strips = math.ceil(rows * bytes_per_row / STRIP_BYTES)
    return -(-rows // min(strips, rows))


def _accumulate(sch: Schedule, filtered: Block, at: Loop) -> None:
    """Compute the window at the loop `at`, written out: rows, then columns of the tile, then the window's."""
    count = len(loops.kinds(sch, filtered))
    sch.compute_at(filtered, at, preserve_unit_loops=True)
    *tile, window_row, window_column = sch.get_loops(filtered)[-count:]
    *outer, column, lane = tile
    sch.reorder(window_row, *outer, column, window_column, lane)
    sizes = [loops.extent(sch, loop) or 1 for loop in (window_row, column, window_column)]
    if sizes[0] * sizes[1] * sizes[2] <= STRAIGHT:
        sch.unroll(window_row)
    unroll_and_vectorize(sch, [*outer, column, window_column, lane])
    init = sch.decompose_reduction(filtered, window_row)
    unroll_and_vectorize(sch, sch.get_loops(init)[-len(tile) :])
    sch.set_scope(filtered, 0, "local")
