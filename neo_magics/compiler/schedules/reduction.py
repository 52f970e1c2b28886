"""Sums, means, maxima, pooling, softmax, unpacked convolutions, matrix products: any kernel with reductions.

Also the fallback for whatever no other rule matches: each block gets vectors and threads, none is left a
scalar serial loop.
"""

from __future__ import annotations

from dataclasses import replace

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels.tiles import register_tile
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops, spatial
from neo_magics.compiler.schedules.loops import Block, Loop
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize

NARROWEST = 4  # elements of a vector along a reduction; below, scalar code is as good


def schedule_any(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches every kernel made of plain blocks. Layouts stay as they are."""
    sch = Schedule(tvm.IRModule({"main": func}))
    found = loops.blocks(sch)
    if not found or not all(loops.is_plain(sch, block) for block in found):
        return None
    loops.inline_into_consumers(sch)
    for block in loops.blocks(sch):
        if loops.is_reduction(sch, block):
            schedule_reduction(sch, block, _of_its_width(sch, block, machine))
        else:
            spatial.schedule_block(sch, block, machine)
    return sch


def _of_its_width(sch: Schedule, block: Block, machine: Machine) -> Machine:
    """The machine as numbers of the block's width see it: registers hold half as many of 64 bits."""
    wide = str(sch.get(block).writes[0].source.dtype) == "float64"
    return replace(machine, lanes=max(machine.lanes // 2, 2)) if wide else machine


def schedule_reduction(sch: Schedule, block: Block, machine: Machine) -> None:
    """Vectors along the output where its neighbours are read together, else along the reduction."""
    outputs, reductions = _loops_by_kind(sch, block)
    while len(outputs) > 1 and loops.extent(sch, outputs[-1]) == 1:
        outputs.pop()  # a kept dimension of one has no neighbours
    size = loops.extent(sch, outputs[-1]) if outputs else None
    whole = bool(outputs) and len(outputs) == loops.kinds(sch, block).count(loops.SPATIAL)
    if size is not None and size > 1 and whole and _reads_along(sch, block, len(outputs) - 1):
        _tile_outputs(sch, block, machine)
    else:
        _along_reduction(sch, block, outputs, reductions, machine)


def _tile_outputs(sch: Schedule, block: Block, machine: Machine) -> None:
    """Rows × vectors of the output in registers, over all reductions, then stored."""
    if len(sch.get(block).writes) != 1:  # an arg-maximum and its like: two results go together
        outputs, reductions = _loops_by_kind(sch, block)
        _in_place(sch, block, outputs, reductions, machine)
        return
    operations = loops.work(sch, block)
    out = sch.cache_write(block, 0, "local")
    *outer, row, column = _at_least_two(sch, out)
    size = loops.extent(sch, column) or 1
    rows_size = loops.extent(sch, row) or 1
    # A width that is no power of two (three registers) LLVM takes apart, at a tenth of the speed.
    whole = size & -size
    lanes = min(whole, machine.lanes)
    if lanes >= NARROWEST:
        rows, vectors = register_tile(rows_size, whole // lanes, machine, widest=spatial.WIDEST)
        width = vectors * lanes
    else:
        width = spatial.vector_width(size, machine.lanes)
        rows, _ = register_tile(rows_size, 1, machine)
    row_out, row_in = sch.split(row, [None, rows])
    column_out, column_in = sch.split(column, [None, width])
    sch.reorder(*outer, row_out, column_out, row_in, column_in)
    unroll_and_vectorize(sch, [row_in, column_in])
    loops.parallel(sch, [*outer, row_out], operations)
    accumulate_at(sch, block, column_out)


def _at_least_two(sch: Schedule, out: Block) -> list[Loop]:
    nest = list(sch.get_loops(out))
    return nest if len(nest) > 1 else [sch.add_unit_loop(nest[0]), *sch.get_loops(out)[1:]]


def _in_place(
    sch: Schedule, block: Block, outputs: list[Loop], reductions: list[Loop], machine: Machine
) -> None:
    """Vectors of results that are updated where they lie."""
    operations = loops.work(sch, block)
    *outer, inner = spatial.split_vector(sch, outputs[-1:], machine)
    sch.reorder(*outputs[:-1], *outer, *reductions, inner)
    sch.vectorize(inner)
    # `parallel` first: once the initialisation is split off, TVM sees no reduction any more.
    loops.parallel(sch, [*outputs[:-1], *outer], operations)
    init = sch.decompose_reduction(block, reductions[0])
    sch.vectorize(sch.get_loops(init)[-1])


def _along_reduction(
    sch: Schedule, block: Block, outputs: list[Loop], reductions: list[Loop], machine: Machine
) -> None:
    """One partial result per lane, combined at the end (rfactor)."""
    operations = loops.work(sch, block)
    width = _reduced_at_once(sch, block, loops.extent(sch, reductions[-1]), machine)
    if width < NARROWEST or len(sch.get(block).writes) != 1:
        loops.parallel(sch, outputs, operations)
        return
    count = loops.kinds(sch, block).count(loops.SPATIAL)
    _, lane = sch.split(reductions[-1], [None, width])
    partial = sch.rfactor(lane, factor_axis=count)
    *others, vector_lane = sch.get_loops(partial)[count:]
    sch.reorder(*others, vector_lane)
    sch.vectorize(vector_lane)
    loops.parallel(sch, sch.get_loops(partial)[:count], operations)
    init = sch.decompose_reduction(partial, others[0])
    sch.vectorize(sch.get_loops(init)[-1])
    loops.parallel(sch, sch.get_loops(block)[:count], operations // width)


def _reduced_at_once(sch: Schedule, block: Block, size: int | None, machine: Machine) -> int:
    """How many elements of a reduction make a vector; 1 where that is not worth it.

    A length that no width divides, or that is free, takes whole vectors under a condition, which LLVM turns
    into masks. Integers it adds up in vectors by itself, and faster; floats it may not reorder.
    """
    width = spatial.vector_width(size, machine.lanes) if size else 1
    is_float = str(sch.get(block).writes[0].source.dtype).startswith("float")
    cut = is_float and (size is None or size > machine.lanes)
    return machine.lanes if width < NARROWEST and cut else width


def _loops_by_kind(sch: Schedule, block: Block) -> tuple[list[Loop], list[Loop]]:
    pairs = list(zip(sch.get_loops(block), loops.kinds(sch, block), strict=True))
    outputs = [loop for loop, kind in pairs if kind == loops.SPATIAL]
    return outputs, [loop for loop, kind in pairs if kind == loops.REDUCE]


def _reads_along(sch: Schedule, block: Block, position: int) -> bool:
    """Whether neighbours along the spatial iterator `position` are read as neighbours, or as the same."""
    node = sch.get(block)
    along = [iterator.var for iterator in node.iter_vars if iterator.iter_type == loops.SPATIAL][position]
    for region in node.reads:
        *strided, _last = [loops.variables(part.min) for part in region.region] or [[]]
        if any(along.same_as(used) for index in strided for used in index):
            return False
    return True
