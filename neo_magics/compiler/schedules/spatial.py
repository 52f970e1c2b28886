"""Element-wise and other injective kernels: one pass over the output, in vectors, over threads."""

from __future__ import annotations

from tvm.s_tir import Schedule

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.lanes import vectorize
from neo_magics.compiler.schedules.loops import Block, Loop

# Widest vector loop, in registers; LLVM splits it, and an odd rest costs one narrower instruction.
WIDEST = 4


def schedule_block(sch: Schedule, block: Block, machine: Machine) -> None:
    """Vectorise the innermost loops of a spatial block and spread the outer ones over threads."""
    operations = loops.work(sch, block)
    *outer, inner = split_vector(sch, sch.get_loops(block), machine)
    if loops.extent(sch, inner) is not None:
        vectorize(sch, block, inner)
    loops.parallel(sch, outer, operations)


def split_vector(sch: Schedule, nest: list[Loop], machine: Machine) -> list[Loop]:
    """`nest` with its last loop cut to a vector: whole registers where any divisor allows.

    Loops are fused from the inside until their product is a multiple of the lanes, so that a 7 × 7 plane
    of 16 channels still fills vectors.
    """
    *outer, inner = nest
    while (size := loops.extent(sch, inner)) is not None and size % machine.lanes and outer:
        if loops.extent(sch, outer[-1]) is None or size > WIDEST * machine.lanes:
            break
        inner = sch.fuse(outer.pop(), inner)
    if size is None:
        return [*outer, inner]
    width = vector_width(size, machine.lanes)
    if width == size:
        return [*outer, inner]
    rest, lane = sch.split(inner, [None, width])
    return [*outer, rest, lane]


def vector_width(size: int, lanes: int) -> int:
    """How many of `size` elements one vector loop takes: the lanes, or the best divisor, or all if few."""
    if size % lanes == 0:
        return lanes
    if size <= WIDEST * lanes:
        return size
    return max((d for d in range(1, WIDEST * lanes + 1) if size % d == 0), key=lambda d: (d >= lanes // 2, d))
