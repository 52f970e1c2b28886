"""Matrix product with a packed constant operand."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.matmul import MATMUL
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.register_tile import unroll_and_vectorize


def schedule_packed_matmul(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.matmul: […, K] × [N/panel, K, panel] with an element-wise epilogue.

    rows × panel sums stay in registers over the whole of K. Threads share panels first, so that each reads
    its own weights, and rows.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    product = loops.find_annotated(sch, KERNEL, MATMUL)
    if product is None:
        return None
    rows, panel = loops.numbers(sch, product, TILE)
    loops.inline_into_consumers(sch)
    operations = loops.work(sch, product)
    out = loops.sole_consumer(sch, product)
    *lead, row, column = sch.get_loops(out)
    row_out, row_in = sch.split(row, [None, rows])
    column_out, column_in = sch.split(column, [None, panel])
    vectors, lane = sch.split(column_in, [None, machine.lanes])
    sch.reorder(*lead, column_out, row_out, row_in, vectors, lane)
    unroll_and_vectorize(sch, [row_in, vectors, lane])
    loops.parallel(sch, [*lead, column_out], operations)
    sch.compute_at(product, row_out, preserve_unit_loops=True)
    *_, p_row, p_panel, p_column, depth = sch.get_loops(product)
    p_vectors, p_lane = sch.split(p_column, [None, machine.lanes])
    sch.reorder(depth, p_row, p_panel, p_vectors, p_lane)
    unroll_and_vectorize(sch, [p_row, p_panel, p_vectors, p_lane])
    init = sch.decompose_reduction(product, depth)
    unroll_and_vectorize(sch, sch.get_loops(init)[-4:])
    sch.set_scope(product, 0, "local")
    return sch
