"""Rows of a window that lie above or below the image are left out: they would be multiplied with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir.expr import TensorLoad
from tvm.s_tir import SBlockRealize, Schedule
from tvm.sym import Analyzer

from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.into_padding import ROW, PaddedCopy
from neo_magics.compiler.schedules.loops import Block

WORTH_ASKING = 0.04  # of the window's rows; each tile asks again for each block of channels


@dataclass(frozen=True)
class RowsInside:
    """The loop over the rows of a window, by its variable, and which of them lie in the image.

    Its row r reads row `first` + r · `step` of a padded copy, whose rows from `top` to `end` are the image's.
    """

    variable: Any
    first: Any
    step: int
    top: int
    end: int

    @classmethod
    def of(cls, sch: Schedule, summed: Block, padding: Sequence[Block]) -> RowsInside | None:
        """For the window of `summed`, scheduled and with its zeros apart, over the one copy in `padding`.

        None where few rows are outside: of 3 × 3 windows 2 % on 28 rows, 10 % on 7; of dilated ones up to
        half.
        """
        copy = PaddedCopy.of(sch, padding[0]) if len(padding) == 1 else None
        realize = _realize(sch, summed)
        row = None if copy is None else _row_of(realize.block, copy.padded)
        used = [] if row is None else _used(realize, row)
        if copy is None or [axis.iter_type for axis, _place in used] != [loops.SPATIAL, loops.REDUCE]:
            return None
        (image, place), (window, variable) = used
        if not isinstance(variable, tirx.Var):
            return None  # a window of one row has no loop
        top = copy.offsets[ROW]
        end, step = (
            top + int(copy.values.shape[ROW]),
            _at(row, image, window, 0, 1) - _at(row, image, window, 0, 0),
        )
        if _outside(row, image, window, range(top, end)) < WORTH_ASKING:
            return None
        values = [(image.var, place), (window.var, tirx.const(0, variable.ty.dtype))]
        first = _before(sch, summed, variable, loops.substituted(row, values))
        return None if first is None else cls(variable, first, step, top, end)

    def skipped(self, sch: Schedule) -> Schedule:
        """The schedule with that loop over the rows inside only."""

        def bounded(loop: Any) -> Any:
            if not loop.loop_var.same_as(self.variable):
                return loop
            return self._unrolled(loop) if loop.kind == tirx.ForKind.UNROLLED else self._serial(loop)

        func = sch.mod["main"]
        body = tvm_ffi.structural_map(func.body, [(tirx.For, bounded)])
        return Schedule(tvm.IRModule({"main": func.with_body(body)}))

    def _unrolled(self, loop: Any) -> Any:
        place = self.first + loop.loop_var * self.step
        inside = tirx.all(place >= self.top, place < self.end)
        return tirx.For(
            loop.loop_var, loop.min, loop.extent, loop.kind, tirx.IfThenElse(inside, loop.body, None)
        )

    def _serial(self, loop: Any) -> Any:
        """With bounds: sums would not stay in registers around a branch."""
        begin, end = (
            tirx.floordiv(edge - self.first + self.step - 1, self.step) for edge in (self.top, self.end)
        )
        begin = tirx.max(begin, loop.min)
        end = tirx.min(end, loop.min + loop.extent)
        return tirx.For(loop.loop_var, begin, end - begin, loop.kind, loop.body)


def _realize(sch: Schedule, block: Block) -> Any:
    node = sch.get(block)
    found: list[Any] = []
    tvm_ffi.structural_walk(sch.mod["main"].body, [(SBlockRealize, found.append)])
    return next(realize for realize in found if realize.block.same_as(node))


def _row_of(block: Any, padded: Any) -> Any | None:
    """The row of the padded data that the block reads, in its axes of more than one place."""
    found: list[Any] = []
    tvm_ffi.structural_walk(block.body, [(TensorLoad, found.append)])
    row = next((load.indices[ROW] for load in found if load.source.same_as(padded)), None)
    once = [
        axis
        for axis in block.iter_vars
        if isinstance(axis.dom.extent, tirx.IntImm) and int(axis.dom.extent) == 1
    ]
    return None if row is None else loops.substituted(row, [(axis.var, axis.dom.min) for axis in once])


def _used(realize: Any, row: Any) -> list[tuple[Any, Any]]:
    """The axes of a block that its expression `row` depends on, each with its value in the loops."""
    read = loops.variables(row)
    axes = zip(realize.block.iter_vars, realize.iter_values, strict=True)
    return [(axis, value) for axis, value in axes if any(axis.var.same_as(each) for each in read)]


def _at(row: Any, image: Any, window: Any, y: int, r: int) -> int:
    """`row` for row y of the result and row r of the window."""
    values = [(axis.var, tirx.const(each, axis.var.ty.dtype)) for axis, each in ((image, y), (window, r))]
    return int(Analyzer().simplify(loops.substituted(row, values)))


def _outside(row: Any, image: Any, window: Any, inside: range) -> float:
    """The share of all rows that are read which lies outside."""
    origin = _at(row, image, window, 0, 0)
    down, step = _at(row, image, window, 1, 0) - origin, _at(row, image, window, 0, 1) - origin
    heights = (range(int(axis.dom.extent)) for axis in (image, window))
    rows = [origin + down * y + step * r for y, r in product(*heights)]
    return sum(each not in inside for each in rows) / len(rows)


def _before(sch: Schedule, summed: Block, variable: Any, place: Any) -> Any | None:
    """`place` as it is known at the loop of `variable`; None where loops inside decide."""
    nest = [sch.get(loop) for loop in sch.get_loops(summed)]
    around = next(index for index, loop in enumerate(nest) if loop.loop_var.same_as(variable))
    once = [
        loop for loop in nest[around + 1 :] if isinstance(loop.extent, tirx.IntImm) and int(loop.extent) == 1
    ]
    place = loops.substituted(place, [(loop.loop_var, loop.min) for loop in once])
    inner = [loop.loop_var for loop in nest[around + 1 :]]
    return None if any(var.same_as(each) for var in loops.variables(place) for each in inner) else place
