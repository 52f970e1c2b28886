"""Values that are written straight between the padding which surrounds them, in place of a padded copy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.s_tir import SBlock, Schedule
from tvm.sym import Analyzer

from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block

ROW, COLUMN = 2, 3  # of N C/v H W v, and of N C H W


def write_into_padding(sch: Schedule, padding: Block) -> Schedule:
    """The values that the block `padding` copies are written into its result, and it fills in the rest.

    Both must be scheduled, in one nest, and nothing else may read the values. The copy took 3 to 18 % of the
    time of MobileNetV2's inverted residuals. Where `padding` is another kind of copy, nothing is changed.
    """
    found = PaddedCopy.of(sch, padding)
    if found is None:
        return sch
    func = sch.mod["main"]
    column = sch.get(sch.get_loops(padding)[_after_column(sch, padding)])
    rewrites = [
        (tirx.BufferStore, found.stored),
        (SBlock, found.block),
        (tirx.For, lambda loop: found.borders(loop) if loop.loop_var.same_as(column.loop_var) else loop),
    ]
    return Schedule(tvm.IRModule({"main": func.with_body(tvm_ffi.structural_map(func.body, rewrites))}))


def _after_column(sch: Schedule, padding: Block) -> int:
    """Which loop of the block goes over columns: the last but the one of lanes."""
    return len(sch.get_loops(padding)) - 2


@dataclass(frozen=True)
class PaddedCopy:
    """padded[…] = `inside` ? values[… - offsets] : `fill`, which is 0, or the least number for a maximum."""

    name: str
    padded: Any
    values: Any
    inside: Any
    fill: Any
    offsets: tuple[int, ...]
    width: int

    @classmethod
    def of(cls, sch: Schedule, padding: Block) -> PaddedCopy | None:
        """What the block says, None where it has another form."""
        node = sch.get(padding)
        store = node.body
        if not isinstance(store, tirx.BufferStore) or not isinstance(store.value, tvm.ir.Call):
            return None
        if str(store.value.op.name) != "prim.if_then_else":
            return None
        inside, value, fill = store.value.args
        simplify = Analyzer().simplify
        offsets = [simplify(at - index) for at, index in zip(store.indices, value.indices, strict=True)]
        if not all(isinstance(known, tirx.IntImm) for known in (*offsets, *value.source.shape[ROW:])):
            return None
        found = tuple(int(offset) for offset in offsets)
        return cls(
            str(node.name_hint),
            store.buffer,
            value.source,
            inside,
            fill,
            found,
            int(value.source.shape[COLUMN]),
        )

    def stored(self, store: Any) -> Any:
        """A value at its place amid the padding; in the copy itself, the padding where there is no value."""
        if store.buffer.same_as(self.values):
            places = [at + offset for at, offset in zip(store.indices, self.offsets, strict=True)]
            return tirx.BufferStore(self.padded, store.value, places)
        if store.buffer.same_as(self.padded):
            filled = tirx.BufferStore(self.padded, self.fill, store.indices)
            return tirx.IfThenElse(tirx.Not(self.inside), filled, None)
        return store

    def block(self, block: Any) -> Any:
        """What a block says that it reads, writes and allocates."""
        alone = str(block.name_hint) == self.name
        return SBlock(
            block.iter_vars,
            [] if alone else block.reads,
            [self._region(region) for region in block.writes],
            block.name_hint,
            block.body,
            block.init,
            [buffer for buffer in block.alloc_buffers if not buffer.same_as(self.values)],
            block.match_buffers,
            block.annotations,
        )

    def _region(self, region: Any) -> Any:
        if not region.source.same_as(self.values):
            return region
        ranges = [
            tvm.ir.Range.from_min_extent(part.min + offset, part.extent)
            for part, offset in zip(region.region, self.offsets, strict=True)
        ]
        return tirx.BufferRegion(self.padded, ranges)

    def borders(self, loop: Any) -> Any:
        """Columns left of the values, right of them, and those between, which only rows beyond them fill."""
        left, total = self.offsets[COLUMN], int(loop.extent)
        right = left + self.width
        parts = [(0, left), (left, min(right, total)), (right, total)]
        return tirx.SeqStmt([_part(loop, first, end) for first, end in parts if first < end])


def _part(loop: Any, first: int, end: int) -> Any:
    """The loop from `first` to `end`, with variables of its own."""
    variable = tirx.Var(loop.loop_var.name, loop.loop_var.ty)
    defined: list[Any] = []
    tvm_ffi.structural_walk(
        loop.body,
        [
            (tirx.For, lambda inner: defined.append(inner.loop_var)),
            (SBlock, lambda block: defined.extend(axis.var for axis in block.iter_vars)),
        ],
    )
    renamed = [(each, tirx.Var(each.name, each.ty)) for each in defined]
    renamed.append((loop.loop_var, variable + first))

    body = loops.substituted(loop.body, renamed)
    zero, extent = (tirx.const(number, loop.extent.ty.dtype) for number in (0, end - first))
    return tirx.For(variable, zero, extent, loop.kind, body)
