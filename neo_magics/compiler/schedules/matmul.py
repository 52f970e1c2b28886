"""Matrix product with a packed constant operand."""

from __future__ import annotations

import math

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.matmul import MATMUL
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.prefetch import prefetch_panels
from neo_magics.compiler.schedules.register_tile import unroll_and_vectorize

WORTH_THREADS = 64 * 1024  # multiply-adds, in vectors; below, one thread is done before another wakes


def schedule_packed_matmul(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.matmul: [M, K] × [N/panel, K, panel] with an element-wise epilogue.

    rows × panel sums stay in registers over the whole of K, for one panel after the other, so that the panel
    stays in the second-level cache over all rows (the loop order of GotoBLAS, Goto and van de Geijn 2008).
    Threads share panels × rows. The epilogue follows each tile, and is the only part that looks at tails.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    product = loops.find_annotated(sch, KERNEL, MATMUL)
    if product is None:
        return None
    rows, _panel = loops.numbers(sch, product, TILE)
    loops.inline_into_consumers(sch)
    operations = loops.work(sch, product)
    out = loops.sole_consumer(sch, product)
    panels, row, column, depth = sch.get_loops(product)
    tiles, row_in = sch.split(row, [None, rows])
    count = loops.extent(sch, tiles)
    vectors, lane = sch.split(column, [None, machine.lanes])
    sch.reorder(panels, tiles, depth, row_in, vectors, lane)
    unroll_and_vectorize(sch, [row_in, vectors, lane])
    sch.reverse_compute_at(out, tiles, preserve_unit_loops=True)
    schedule_epilogue(sch, out, sch.get_loops(out)[2:], machine)
    if operations >= WORTH_THREADS:
        loops.parallel(sch, [panels, tiles], operations)
    init = sch.decompose_reduction(product, depth)
    unroll_and_vectorize(sch, sch.get_loops(init)[-3:])
    sch.set_scope(product, 0, "local")
    return prefetch_panels(sch, product, depth, count)


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
