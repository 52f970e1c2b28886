"""Matrix product with a packed constant operand."""

from __future__ import annotations

import math

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.matmul import MATMUL
from neo_magics.compiler.kernels.tiles import ENOUGH, divisors
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.prefetch import places, prefetch_slabs
from neo_magics.compiler.schedules.register_tile import unroll_and_vectorize

LONG = 256  # steps of a reduction; below, parting it costs what it saves
MOST_WAYS = 8
WORTH_THREADS = 64 * 1024  # multiply-adds, in vectors; below, one thread is done before another wakes


def schedule_packed_matmul(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.matmul: [M, K] × [N/panel, K, panel] with an element-wise epilogue, or a batch of them.

    rows × panel sums stay in registers over the whole of K, for one panel after the other, so that the panel
    stays in the second-level cache over all rows (the loop order of GotoBLAS, Goto and van de Geijn 2008).
    Threads share panels × rows. The epilogue follows each tile, and is the only part that looks at tails. Few
    sums are parted over K (as split-K kernels do on GPUs).
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    product = loops.find_annotated(sch, KERNEL, MATMUL)
    if product is None:
        return None
    rows, panel = loops.numbers(sch, product, TILE)
    loops.inline_into_consumers(sch)
    operations = loops.work(sch, product)
    out = loops.sole_consumer(sch, product)
    batch = sch.get_loops(product)[:-4]
    ways = _ways(loops.extent(sch, sch.get_loops(product)[-1]), rows * panel // machine.lanes)
    if ways > 1 and not batch and (operations < WORTH_THREADS or _is_one_tile(sch, product, rows)):
        return _split_over_depth(sch, product, out, ways, machine)
    panels, row, column, depth = sch.get_loops(product)[-4:]
    tiles, row_in = sch.split(row, [None, rows])
    count = loops.extent(sch, tiles)
    vectors, lane = sch.split(column, [None, machine.lanes])
    sch.reorder(panels, tiles, depth, row_in, vectors, lane)
    unroll_and_vectorize(sch, [row_in, vectors, lane])
    sch.reverse_compute_at(out, tiles, preserve_unit_loops=True)
    schedule_epilogue(sch, out, sch.get_loops(out)[len(batch) + 2 :], machine)
    counts = [loops.extent(sch, panels), count]
    place = sch.fuse(*batch, panels, tiles)
    if operations >= WORTH_THREADS:
        sch.parallel(place)
    init = sch.decompose_reduction(product, depth)
    unroll_and_vectorize(sch, sch.get_loops(init)[-3:])
    sch.set_scope(product, 0, "local")
    # With one tile nothing but memory counts; with a batch the panels were just written, and are near.
    if operations < WORTH_THREADS or count in (None, 1) or batch:
        return sch
    slab, turn = places(sch, counts, place, [])
    return prefetch_slabs(sch, product, [depth], [slab], [turn])


def _is_one_tile(sch: Schedule, product: Block, rows: int) -> bool:
    panels, row, *_rest = sch.get_loops(product)
    return loops.extent(sch, panels) == 1 and loops.extent(sch, row) == rows


def _ways(depth: int | None, sums: int) -> int:
    """Into how many sums each of a tile's `sums` is parted, so that enough are in flight to hide latency."""
    if depth is None or 2 * sums > ENOUGH or depth < LONG:
        return 1
    return max(ways for ways in divisors(min(depth, MOST_WAYS)) if depth % ways == 0)


def _split_over_depth(sch: Schedule, product: Block, out: Block, ways: int, machine: Machine) -> Schedule:
    """So few results that they leave the units waiting: several sums of each, over every `ways`th of K."""
    *_outer, depth = sch.get_loops(product)
    _steps, way = sch.split(depth, [None, ways])
    partial = sch.rfactor(way, factor_axis=2)
    panels, row, column, depth, way = sch.get_loops(partial)
    sch.reorder(panels, row, depth, way, column)
    vectors, lane = sch.split(column, [None, machine.lanes])
    unroll_and_vectorize(sch, [way, vectors, lane])
    init = sch.decompose_reduction(partial, depth)
    unroll_and_vectorize(sch, sch.get_loops(init)[-3:])
    *_places, column, way = sch.get_loops(product)
    sch.reorder(way, column)
    sch.unroll(way)
    sch.vectorize(column)
    schedule_epilogue(sch, out, sch.get_loops(out), machine)
    sch.set_scope(partial, 0, "local")
    sch.set_scope(product, 0, "local")
    return sch


def schedule_epilogue(sch: Schedule, out: Block, nest: list[Loop], machine: Machine) -> None:
    """Vectors that do not straddle the last column, where the columns allow any."""
    columns = int(sch.get(out).writes[0].source.shape[-1])
    *outer, column = nest
    width = math.gcd(columns, machine.lanes)
    width = width if width >= machine.lanes // 4 or columns > machine.lanes else columns
    if width < (loops.extent(sch, column) or 1):
        split, column = sch.split(column, [None, width])
        outer.append(split)
    unroll_and_vectorize(sch, [*outer, column])
