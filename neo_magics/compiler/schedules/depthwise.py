"""Depthwise convolution on packed channels, with everything that was fused behind it."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.depthwise import DEPTHWISE
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.convolution import schedule_padding
from neo_magics.compiler.schedules.register_tile import accumulate_at, unroll_and_vectorize


def schedule_depthwise(func: tirx.PrimFunc, _machine: Machine) -> Schedule | None:
    """Matches kernels.depthwise: N C/v H W v, any window, with an element-wise epilogue.

    A tile of columns stays in registers over the window; the epilogue is computed on it before it is stored.
    Threads share batch × blocks × rows.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    conv = loops.find_annotated(sch, KERNEL, DEPTHWISE)
    if conv is None:
        return None
    columns, _blocks = loops.numbers(sch, conv, TILE)
    padding = [block for block in sch.get_producers(conv) if loops.is_padding(sch, block)]
    loops.inline_into_consumers(sch, keep=padding)
    operations = loops.work(sch, conv)
    out = loops.sole_consumer(sch, conv)
    n, channel, row, column, lane = sch.get_loops(out)
    column_out, column_in = sch.split(column, [None, columns])
    unroll_and_vectorize(sch, [column_in, lane])
    loops.parallel(sch, [n, channel, row], operations)
    accumulate_at(sch, conv, column_out)
    for block in padding:
        schedule_padding(sch, block, operations)
    return sch
