"""Packed convolution, with everything that was fused behind them."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import CONV2D
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize


def schedule_convolution(func: tirx.PrimFunc, _machine: Machine) -> Schedule | None:
    """Matches kernels.conv2d: N O/v H W v, any window, with an element-wise epilogue.

    The tile of (columns × output blocks) vectors stays in registers over all input channels and the window;
    the epilogue is computed on it before it is stored. Threads share batch × blocks × rows, or, `across` the
    channels, batch × rows × blocks.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    conv = loops.find_annotated(sch, KERNEL, CONV2D)
    if conv is None:
        return None
    columns, blocks, across = loops.numbers(sch, conv, TILE)
    padding = [block for block in sch.get_producers(conv) if loops.is_padding(sch, block)]
    loops.inline_into_consumers(sch, keep=padding)
    operations = loops.work(sch, conv)
    out = loops.sole_consumer(sch, conv)
    n, channel, row, column, lane = sch.get_loops(out)
    column_out, column_in = sch.split(column, [None, columns])
    channel_out, channel_in = sch.split(channel, [None, blocks])
    shared = [n, row, channel_out] if across else [n, channel_out, row]
    sch.reorder(*shared, column_out, channel_in, column_in, lane)
    unroll_and_vectorize(sch, [channel_in, column_in, lane])
    loops.parallel(sch, shared, operations)
    accumulate_at(sch, conv, column_out)
    for block in padding:
        schedule_padding(sch, block, operations)
    return sch


def schedule_padding(sch: Schedule, block: Block, operations: int) -> None:
    """The padded copy: rows over threads where the convolution is worth them too."""
    *outer, inner = sch.get_loops(block)
    lanes = loops.extent(sch, inner)
    if len(outer) == 4 and lanes is not None:
        sch.vectorize(inner)
    threads = outer[:3]
    loops.parallel(sch, threads, min(operations, loops.work(sch, block)))
