"""Concatenation of packed channels whose parts do not fill their blocks."""

from __future__ import annotations

import tvm
from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.channels import JOIN
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops


def schedule_join(func: tirx.PrimFunc, _machine: Machine) -> Schedule | None:
    """Matches kernels.channels.join_channels, with what was fused around it.

    Lanes are copied as vectors, in runs that come from one part each. Threads share blocks and rows.
    """
    sch = Schedule(tvm.IRModule({"main": func}))
    join = loops.find_annotated(sch, KERNEL, JOIN)
    if join is None:
        return None
    [run] = loops.numbers(sch, join, TILE)
    loops.inline_into_consumers(sch)
    found = loops.blocks(sch)
    if len(found) != 1 or not loops.is_plain(sch, found[0]):
        return None
    operations = loops.work(sch, found[0])
    *outer, column, lane = sch.get_loops(found[0])
    if loops.extent(sch, lane) is None:
        return None  # unpacked at once, to rows of free length
    part, inner = sch.split(lane, [None, run])
    sch.reorder(part, column, inner)
    sch.unroll(part)
    if run > 1:
        sch.vectorize(inner)
    loops.parallel(sch, outer, operations)
    return sch
