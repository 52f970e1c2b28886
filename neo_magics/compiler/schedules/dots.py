"""Matrix products and convolutions of narrow numbers, by instructions that sum groups of products."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d_dots import DOT_CONV2D
from neo_magics.compiler.kernels.dots import DOT, DOTS, tensor_intrinsic
from neo_magics.compiler.kernels.matmul_dots import DOT_MATMUL
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.convolution import schedule_padding
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.matmul import schedule_epilogue
from neo_magics.compiler.schedules.register_tile import unroll_and_vectorize


def schedule_dot_matmul(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.matmul_dots on a machine that has the instruction.

    As `schedule_packed_matmul`: rows × panel sums in registers over the whole of K, one panel after the
    other. A vector of weights holds a group of neighbours along K for each lane.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    product = _find(sch, DOT_MATMUL, machine)
    if product is None:
        return None
    rows, _panel = loops.numbers(sch, product, TILE)
    loops.inline_into_consumers(sch)
    operations = loops.work(sch, product)
    out = loops.sole_consumer(sch, product)
    panels, row, column, depth, group = sch.get_loops(product)
    tiles, row_in = sch.split(row, [None, rows])
    vectors, lane = sch.split(column, [None, machine.lanes])
    sch.reorder(panels, tiles, depth, row_in, vectors, lane, group)
    sch.unroll(row_in)
    sch.unroll(vectors)
    sch.reverse_compute_at(out, tiles, preserve_unit_loops=True)
    schedule_epilogue(sch, out, sch.get_loops(out)[2:], machine)
    loops.parallel(sch, [panels, tiles], operations)
    _accumulate(sch, product, depth, lane, tile_rank=3)
    return sch


def schedule_dot_convolution(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches kernels.conv2d_dots on a machine that has the instruction.

    As `schedule_convolution`: columns × output blocks of sums in registers over all channels and the window.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    conv = _find(sch, DOT_CONV2D, machine)
    if conv is None:
        return None
    columns, blocks = loops.numbers(sch, conv, TILE)
    padding = [block for block in sch.get_producers(conv) if loops.is_padding(sch, block)]
    loops.inline_into_consumers(sch, keep=padding)
    operations = loops.work(sch, conv)
    out = loops.sole_consumer(sch, conv)
    n, channel, row, column, lane = sch.get_loops(out)
    column_out, column_in = sch.split(column, [None, columns])
    channel_out, channel_in = sch.split(channel, [None, blocks])
    sch.reorder(n, channel_out, row, column_out, channel_in, column_in, lane)
    unroll_and_vectorize(sch, [channel_in, column_in, lane])
    loops.parallel(sch, [n, channel_out, row], operations)
    sch.compute_at(conv, column_out, preserve_unit_loops=True)
    *tile, lane, rc, ry, rx, ri, group = sch.get_loops(conv)[-10:]
    sch.reorder(rc, ry, rx, ri, *tile, lane, group)
    for loop in tile:
        sch.unroll(loop)
    _accumulate(sch, conv, rc, lane, tile_rank=5)
    for block in padding:
        schedule_padding(sch, block, operations)
    return sch


def _find(sch: Schedule, kernel: str, machine: Machine) -> Block | None:
    """The block of this kind, where the machine has its instruction and vectors of that width."""
    block = loops.find_annotated(sch, KERNEL, kernel)
    if block is None:
        return None
    name = str(loops.annotation(sch, block, DOT))
    return block if name in machine.dots and DOTS[name].lanes == machine.lanes else None


def _accumulate(sch: Schedule, block: Block, reduction: Loop, lane: Loop, *, tile_rank: int) -> None:
    """Zero the sums before `reduction`, keep them in registers, and make the instruction of `lane`."""
    dot = DOTS[str(loops.annotation(sch, block, DOT))]
    init = sch.decompose_reduction(block, reduction)
    unroll_and_vectorize(sch, sch.get_loops(init)[-tile_rank:])
    sch.set_scope(block, 0, "local")
    sch.annotate(sch.get_loops(block)[0], "pragma_import_llvm", dot.code)
    sch.tensorize(lane, tensor_intrinsic(dot))
