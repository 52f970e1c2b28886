"""Schedule rules: how each family of kernels becomes vectors, registers and threads.

A rule takes a kernel (a PrimFunc of plain blocks) and the machine, and returns a schedule, or None for "not
mine". They are tried in the order of `RULES`; the last one takes everything. A new rule is a new file and
one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules.convolution import schedule_convolution
from neo_magics.compiler.schedules.convolution_tiles import schedule_convolution_tiles
from neo_magics.compiler.schedules.depthwise import schedule_depthwise
from neo_magics.compiler.schedules.dots import schedule_dot_convolution, schedule_dot_matmul
from neo_magics.compiler.schedules.joins import schedule_join
from neo_magics.compiler.schedules.matmul import schedule_packed_matmul
from neo_magics.compiler.schedules.reduction import schedule_any
from neo_magics.compiler.schedules.winograd import schedule_winograd


@dataclass(frozen=True)
class Rule:
    """A named way to schedule one family of kernels."""

    name: str
    apply: Callable[[tirx.PrimFunc, Machine], Schedule | None]


RULES = (
    Rule("depthwise convolution", schedule_depthwise),  # first: its kernel may hold a packed one
    Rule("packed convolution", schedule_convolution),
    Rule("tiled convolution", schedule_convolution_tiles),
    Rule("Winograd convolution", schedule_winograd),
    Rule("packed matmul", schedule_packed_matmul),
    Rule("narrow convolution", schedule_dot_convolution),
    Rule("narrow matmul", schedule_dot_matmul),
    Rule("concatenation", schedule_join),
    Rule("any", schedule_any),
)
