"""Sums, means, maxima, pooling, softmax, unpacked convolutions: any kernel with reductions.

Also the fallback for whatever no other rule matches: each block gets vectors and threads, none is left
a scalar serial loop.
"""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops, spatial
from neo_magics.compiler.schedules.loops import Block, Loop


def schedule_any(func: tirx.PrimFunc, machine: Machine) -> Schedule | None:
    """Matches every kernel made of plain blocks. Layout and order of the loops stay as they are."""
    sch = Schedule(tvm.IRModule({"main": func}))
    found = loops.blocks(sch)
    if not found or not all(loops.is_plain(sch, block) for block in found):
        return None
    loops.inline_into_consumers(sch)
    for block in loops.blocks(sch):
        if loops.is_reduction(sch, block):
            schedule_reduction(sch, block, machine)
        else:
            spatial.schedule_block(sch, block, machine)
    return sch


def schedule_reduction(sch: Schedule, block: Block, machine: Machine) -> None:
    """Vectors along the output where its neighbours are read together, else along the reduction."""
    outputs, reductions = _loops_by_kind(sch, block)
    operations = loops.work(sch, block)
    if outputs and _reads_along_output(sch, block):
        *outer, inner = spatial.split_vector(sch, outputs[-1:], machine)
        sch.reorder(*outputs[:-1], *outer, *reductions, inner)
        _finish(sch, block, [*outputs[:-1], *outer], reductions, inner, operations)
        return
    _along_reduction(sch, block, outputs, reductions, machine)


def _finish(
    sch: Schedule, block: Block, outer: list[Loop], reductions: list[Loop], lane: Loop, operations: int
) -> None:
    vector = loops.extent(sch, lane) is not None
    if vector:
        sch.vectorize(lane)
    # `parallel` first: once the initialisation is split off, TVM sees no reduction any more.
    loops.parallel(sch, outer, operations)
    init = sch.decompose_reduction(block, reductions[0])
    if vector:
        sch.vectorize(sch.get_loops(init)[-1])


def _along_reduction(
    sch: Schedule, block: Block, outputs: list[Loop], reductions: list[Loop], machine: Machine
) -> None:
    """One partial result per lane, combined at the end (rfactor)."""
    operations = loops.work(sch, block)
    size = loops.extent(sch, reductions[-1])
    if size is None or size % machine.lanes or size == machine.lanes:
        loops.parallel(sch, outputs, operations)
        return
    _, lane = sch.split(reductions[-1], [None, machine.lanes])
    partial = sch.rfactor(lane, factor_axis=len(outputs))
    *others, vector_lane = _partial_loops(sch, partial, len(outputs))
    sch.reorder(*others, vector_lane)
    sch.vectorize(vector_lane)
    if outputs:
        loops.parallel(sch, sch.get_loops(partial)[: len(outputs)], operations)
    init = sch.decompose_reduction(partial, others[0])
    sch.vectorize(sch.get_loops(init)[-1])
    loops.parallel(sch, sch.get_loops(block)[: len(outputs)], operations // machine.lanes)


def _partial_loops(sch: Schedule, partial: Block, outputs: int) -> list[Loop]:
    """The reduction loops of a partial block, then the loop of its lanes, which is the last one."""
    return list(sch.get_loops(partial)[outputs:])


def _loops_by_kind(sch: Schedule, block: Block) -> tuple[list[Loop], list[Loop]]:
    pairs = list(zip(sch.get_loops(block), loops.kinds(sch, block), strict=True))
    outputs = [loop for loop, kind in pairs if kind == loops.SPATIAL]
    return outputs, [loop for loop, kind in pairs if kind == loops.REDUCE]


def _reads_along_output(sch: Schedule, block: Block) -> bool:
    """Whether the last index of every multi-dimensional read leaves the reductions out."""
    node = sch.get(block)
    reduced = [iterator.var for iterator in node.iter_vars if iterator.iter_type == loops.REDUCE]
    for region in node.reads:
        if not region.region:
            continue
        used = loops.variables(region.region[-1].min)
        if any(var.same_as(name) for var in reduced for name in used):
            return False
    return True
