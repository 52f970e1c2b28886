"""Keep a tile of results in vector registers over a whole reduction: the heart of convolution and matmul."""

from __future__ import annotations

from collections.abc import Sequence

from tvm.s_tir import Schedule

from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop


def accumulate_at(sch: Schedule, block: Block, at: Loop) -> list[Loop]:
    """Compute `block` at the loop `at`, its reductions outside, its tile unrolled and the last loop a vector.

    The tile's sums get a buffer of their own, small enough for LLVM to keep in registers. Call it when the
    consumer's loops are final and parallel: a decomposed reduction cannot be moved any more. The tile's
    longest side goes outside: LLVM keeps the operands of the inner one in registers, and 11 columns beside
    the sums of 11 × 2 would not fit (63 % of the peak in place of 99 %). Returns the loops of the reduction.
    """
    kinds = loops.kinds(sch, block)
    sch.compute_at(block, at, preserve_unit_loops=True)
    fresh = list(zip(sch.get_loops(block)[-len(kinds) :], kinds, strict=True))
    tile = [loop for loop, kind in fresh if kind == loops.SPATIAL]
    reduced = [loop for loop, kind in fresh if kind == loops.REDUCE]
    tile = [*sorted(tile[:-1], key=lambda loop: -(loops.extent(sch, loop) or 1)), tile[-1]]
    sch.reorder(*reduced, *tile)
    unroll_and_vectorize(sch, tile)
    init = sch.decompose_reduction(block, reduced[0])
    unroll_and_vectorize(sch, sch.get_loops(init)[-len(tile) :])
    sch.set_scope(block, 0, "local")
    return reduced


def unroll_and_vectorize(sch: Schedule, nest: Sequence[Loop]) -> None:
    """The last loop becomes a vector, the others straight code."""
    *outer, lane = nest
    for loop in outer:
        sch.unroll(loop)
    sch.vectorize(lane)
