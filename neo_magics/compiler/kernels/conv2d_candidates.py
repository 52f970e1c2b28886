"""The ways to do a convolution with constant weights, in the order of the model of registers and caches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels.bands import Bands
from neo_magics.compiler.kernels.conv2d import Window, conv2d
from neo_magics.compiler.kernels.conv2d_tiles import Phases, conv2d_tiles, pack_phases
from neo_magics.compiler.kernels.tiles import register_tiles, tail_pays, tiles_with_tail
from neo_magics.compiler.kernels.winograd import Plan, transform_weight, winograd_conv2d
from neo_magics.compiler.kernels.winograd_plan import Layer, ranked_plans, worth_it
from neo_magics.compiler.machine import Machine

Array = np.ndarray[Any, Any]
Shapes = tuple[tuple[int, ...], tuple[int, ...]]
OF_FIRST_KIND, OF_OTHER_KINDS = 5, 2  # candidates


@dataclass(frozen=True)
class Convolution:
    """A convolution with constant float32 weights; pairs are (height, width).

    `batch` is None where it is free. `channels` (in, out) are those of all groups. `packed`: the data is at
    hand as N C/v H W v. `strict`: each result is a plain sum of products, so no Winograd.
    """

    operator: ClassVar[str] = "conv2d"
    batch: int | None
    channels: tuple[int, int]
    size: tuple[int, int]
    taps: tuple[int, int]
    window: Window
    groups: int = 1
    packed: bool = True
    strict: bool = False

    @property
    def out(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.window.out_size(*self.size, self.taps)

    @property
    def title(self) -> str:
        (inner, outer), (height, width), (tall, wide) = self.channels, self.size, self.taps
        strides = "" if self.window.stride == (1, 1) else f" stride {self.window.stride[0]}"
        groups = "" if self.groups == 1 else f" in {self.groups} groups"
        images = "" if self.batch == 1 else f"{self.batch or 'n'} images "
        return f"conv2d {tall}×{wide}{strides}{groups}, {images}{height}×{width}, channels {inner} → {outer}"

    @property
    def operations(self) -> float:
        """Multiply-adds of the direct way."""
        inner = self.channels[0] // self.groups
        return float((self.batch or 1) * math.prod((*self.out, *self.taps, inner, self.channels[1])))

    def candidates(self, machine: Machine) -> list[Any]:
        """A few of each kind, in turns; the kind that the model prefers begins, and has most."""
        blocks = self.bands(machine.lanes).shared
        weights = self.weights(machine.lanes)
        direct = _direct(Rows, self, machine, register_tiles(self.out[1], blocks, machine, weights=weights))
        tiles = tiles_with_tail(self.out[1], blocks, machine, weights=weights)
        tailed = _direct(Tiles, self, machine, [tile for tile in tiles if self.out[1] % tile[0]])
        tail_first = tail_pays(self.out[1], blocks, machine, weights)
        direct = [*tailed, *direct] if tail_first else [*direct, *tailed]
        winograd, wins = self._winograd(machine)
        first, *others = [kind for kind in ([*winograd, *direct] if wins else [*direct, *winograd]) if kind]
        return list(_in_turns([first[:OF_FIRST_KIND], *(kind[:OF_OTHER_KINDS] for kind in others)]))

    def epilogue(self, made: Any, bias: Any) -> Any:
        """Bias and ReLU."""
        zero = tirx.const(0, "float32")
        return te.compute(
            made.shape, lambda n, o, y, x, v: te.max(made[n, o, y, x, v] + bias[0, o, 0, 0, v], zero)
        )

    def bias(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A number for each channel."""
        return 1, shape[1], 1, 1, shape[4]

    def bands(self, lanes: int) -> Bands:
        """Which blocks of the data each block of the result reads, both of `lanes` channels."""
        return Bands(self.channels, self.groups, (lanes, lanes))

    def weights(self, lanes: int) -> int:
        """Bytes of the weights that a block of the result reads."""
        inner = -(-self.channels[0] // self.groups // lanes) * lanes if self.packed else self.channels[0]
        return 4 * lanes * inner * math.prod(self.taps)

    def layer(self, lanes: int) -> Layer:
        """The sizes that decide how Winograd cuts it."""
        inner, outer = (-(-channels // lanes) for channels in self.channels)
        return Layer(self.batch, *self.out, inner, outer, self.taps, self.window.stride)

    def _winograd(self, machine: Machine) -> tuple[list[list[Any]], bool]:
        """The candidates by results of a tile, and whether the best is expected to win."""
        plain = self.window.dilation == (1, 1) and self.groups == 1
        if not plain or self.strict or self.channels[0] < machine.lanes:
            return [], False
        layer = self.layer(machine.lanes)
        kinds: dict[tuple[int, int], list[Any]] = {}
        plans = ranked_plans(layer, machine)
        for plan in plans:
            results = plan.rows.outputs, plan.columns.outputs
            kinds.setdefault(results, []).append(Winograd(self, machine.lanes, plan))
        return list(kinds.values()), bool(plans) and worth_it(plans[0], layer, machine)


@dataclass(frozen=True)
class _Way:
    """What all candidates share."""

    work: Convolution
    lanes: int

    @property
    def packs(self) -> bool:
        """Whether the data is wanted as N C/v H W v."""
        return self.work.packed or self.work.groups > 1

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of channels that one result reads, and of the result."""
        inner, outer = self.work.channels
        if self.bands is not None:
            return self.bands.span, self.bands.blocks[1]
        return -(-inner // self.in_lanes), -(-outer // self.lanes)

    @property
    def bands(self) -> Bands | None:
        """With groups, which blocks of the data a block of the result reads."""
        return None if self.work.groups == 1 else self.work.bands(self.lanes)

    @property
    def in_lanes(self) -> int:
        """Channels of a block of the data."""
        return self.lanes if self.packs else 1

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Of one image where the batch is free."""
        batch, inner = self.work.batch or 1, self.work.channels[0]
        if not self.packs:
            return batch, inner, *self.work.size
        return batch, -(-inner // self.lanes), *self.work.size, self.lanes

    def pack_direct(self, weight: Array) -> Array:
        """O I/groups H W → 1 1 O/v I/b H W b v, each block of O with the blocks of I that it reads."""
        dense = weight if self.bands is None else self.bands.gather(weight)
        return pack_phases(dense[None, None], self.in_lanes, self.lanes)


@dataclass(frozen=True)
class Rows(_Way):
    """kernels.conv2d: (columns, blocks of channels) at once, which divide the image's width."""

    kernel: ClassVar[str] = "conv2d"
    tile: tuple[int, int]
    across: bool = False

    @property
    def label(self) -> str:
        return f"rows{' across' if self.across else ''}: {self.tile[0]}x{self.tile[1]}"

    @property
    def shapes(self) -> Shapes:
        inner, outer = self.blocks
        return self.data_shape, (outer, inner, *self.work.taps, self.in_lanes, self.lanes)

    def pack(self, weight: Array) -> Array:
        """O I H W → O/v I/b H W b v."""
        packed: Array = self.pack_direct(weight)[0, 0]
        return packed

    def compute(self, data: Any, weight: Any) -> Any:
        options: dict[str, Any] = {"window": self.work.window, "tile": self.tile, "bands": self.bands}
        return conv2d(data, weight, **options, across=self.across)


@dataclass(frozen=True)
class Tiles(_Way):
    """kernels.conv2d_tiles: (columns, blocks of channels) at once, with a tail."""

    kernel: ClassVar[str] = "conv2d_tiles"
    tile: tuple[int, int]
    across: bool = False

    @property
    def label(self) -> str:
        return f"tiles{' across' if self.across else ''}: {self.tile[0]}x{self.tile[1]}"

    @property
    def shapes(self) -> Shapes:
        inner, outer = self.blocks
        return self.data_shape, (1, 1, outer, inner, *self.work.taps, self.in_lanes, self.lanes)

    def pack(self, weight: Array) -> Array:
        """O I H W → 1 1 O/v I/b H W b v."""
        return self.pack_direct(weight)

    def compute(self, data: Any, weight: Any) -> Any:
        phases = Phases(self.work.window)
        options: dict[str, Any] = {"phases": phases, "out": self.work.out, "tile": self.tile}
        return conv2d_tiles(data, weight, **options, bands=self.bands, across=self.across)


@dataclass(frozen=True)
class Winograd(_Way):
    """kernels.winograd: cut by a plan."""

    kernel: ClassVar[str] = "winograd_conv2d"
    plan: Plan

    @property
    def packs(self) -> bool:
        return True

    @property
    def label(self) -> str:
        plan = self.plan
        results = f"{plan.rows.outputs}x{plan.columns.outputs}"
        tile = "x".join(map(str, (*plan.tile, plan.panel)))
        threads = "chunks" if plan.chunks_are_shared else "steps"
        return (
            f"winograd {results}: {plan.images}x{plan.tile_rows} rows, tile {tile}, threads share {threads}"
        )

    @property
    def shapes(self) -> Shapes:
        plan, (inner, outer) = self.plan, self.blocks
        panels = -(-outer * self.lanes // plan.panel)
        return self.data_shape, (plan.rows.size, plan.columns.size, panels, inner * self.lanes, plan.panel)

    def pack(self, weight: Array) -> Array:
        return transform_weight(weight, self.plan, self.lanes)

    def compute(self, data: Any, weight: Any) -> Any:
        return winograd_conv2d(data, weight, window=self.work.window, plan=self.plan, blocks=self.blocks[1])


def _direct(
    kind: type[Rows] | type[Tiles], work: Convolution, machine: Machine, tiles: Sequence[tuple[int, int]]
) -> list[list[Any]]:
    """The direct candidates in both orders of loops; tiles that divide the width are those of Rows."""
    return [[kind(work, machine.lanes, tile, across) for tile in tiles] for across in (False, True)]


def _in_turns(kinds: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """The first of each kind, then the second of each …"""
    for turn in zip_longest(*kinds):
        yield from (candidate for candidate in turn if candidate is not None)
