"""How a convolution is cut for Winograd, or that it is better done directly: a model of units and caches.

Costs are in cycles of one core that starts a vector multiply-add in each. The numbers below were measured on
Zen 4 and Zen 5; only their rough size matters, since the alternatives lie far apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from neo_magics.compiler.kernels.tiles import divisors, tile_cost
from neo_magics.compiler.kernels.winograd import Plan
from neo_magics.compiler.kernels.winograd_axis import Axis
from neo_magics.compiler.machine import Machine

# (taps, stride) → results of a tile; more than 6 points lose too many digits, so 7 taps go as 4 and 3.
# With stride 2, 4 results would multiply least, but their weights and products keep memory busy for longer.
OUTPUTS = {(1, 1): (1,), (3, 1): (4, 2), (5, 1): (2,), (7, 1): (3,), (3, 2): (2, 3)}
_LONGEST = {7: 4}  # taps of a part, where they are not all in one
_MOST_PLACES = 81  # of a tile, whose transforms are written out
_TRANSFORM = 4.5  # cycles for each vector of a transformed tile: loads, sums, a store
_NEAREST = 24 * 1024  # bytes of weights that stay in the first cache from tile to tile
_WIDEST = 8  # vectors of a panel
_NEAR = 512 * 1024  # bytes of a core's own cache that a chunk may fill
_NEAR_BYTES = 14.0  # bytes in a cycle from the shared cache to one core
_FAR_BYTES = 9.5  # bytes in a cycle from memory, for all cores
_OTHERS_BYTES = 4.0  # bytes in a cycle to one core of values that other cores have written
_COMMON_BYTES = 4.0  # bytes in a cycle from memory to one core, where every core reads all weights
_START = 10_000.0  # cycles to start threads and to wait for the last
_UNKNOWN_CORES = 4
_DIRECT = 1.15  # cycles for each multiply-add of the direct kernel
_MOST_IMAGES = 8  # of a chunk
_FREE_MARGIN = 1.5  # the image may be smaller, and code for free sizes takes long to compile
_FREE_ROWS, _FREE_COLUMNS = (1, 2, 3, 4, 6), range(1, 13)  # of tiles of a chunk, where the size is free


@dataclass(frozen=True)
class Layer:
    """A convolution. `batch` is None where it is free; channels are counted in vectors."""

    batch: int | None
    height: int
    width: int
    in_blocks: int
    out_blocks: int
    taps: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    free: tuple[bool, bool] = (False, False)  # sides that are only known later, and about this long

    @property
    def axes(self) -> list[tuple[int, int]]:
        """(taps, stride) of the rows and of the columns."""
        return list(zip(self.taps, self.stride, strict=True))

    @property
    def images(self) -> int:
        """The batch; a free one counts as a single image."""
        return self.batch or 1


def choose_plan(layer: Layer, machine: Machine) -> Plan | None:
    """The cheapest way to cut `layer`; None where the direct kernel is expected to be as fast."""
    best = ranked_plans(layer, machine)[:1]
    margin = _FREE_MARGIN if any(layer.free) else 1
    return best[0] if best and worth_it(best[0], layer, machine, speed=margin) else None


def ranked_plans(layer: Layer, machine: Machine) -> list[Plan]:
    """All ways to cut `layer`, the cheapest first; none for windows that Winograd does not do."""
    if any(axis not in OUTPUTS for axis in layer.axes) or max(layer.taps) == 1:
        return []
    return sorted(plans(layer, machine), key=lambda plan: _cost(plan, layer, machine))


def worth_it(plan: Plan, layer: Layer, machine: Machine, *, speed: float = 1) -> bool:
    """Whether `plan` is expected to beat the direct kernel, or one with `speed` products in place of each."""
    return _cost(plan, layer, machine) < _direct_cost(layer, machine) / speed


def plans(layer: Layer, machine: Machine) -> Iterator[Plan]:
    """All ways to cut `layer` that are worth a look."""
    for rows, columns in product(*(_axes(*axis) for axis in layer.axes)):
        if rows.size * columns.size > _MOST_PLACES:
            continue
        if any(layer.free):
            yield from _free_plans(rows, columns, layer, machine)
            continue
        height, width = -(-layer.height // rows.outputs), -(-layer.width // columns.outputs)
        for tile_rows in _parts(height):
            whole = tile_rows == height
            for images in divisors(layer.images) if whole else [1]:
                if images > _MOST_IMAGES:
                    continue
                tile, panel, padded = _register_tile(images, tile_rows, width, layer, machine)
                for shared in (True, False):
                    yield Plan(
                        rows, columns, images, -(-height // tile_rows), tile_rows, padded, tile, panel, shared
                    )


def _free_plans(rows: Axis, columns: Axis, layer: Layer, machine: Machine) -> Iterator[Plan]:
    """Chunks of a few rows by a few columns of tiles; the last along a free side is counted as half empty."""
    height, width = layer.height / rows.outputs, layer.width / columns.outputs
    for high, wide in product(_free_parts(height, _FREE_ROWS), _free_parts(width, _FREE_COLUMNS)):
        down, along = (
            tiles / count + 0.5 if free else math.ceil(tiles / count)
            for tiles, count, free in zip((height, width), (high, wide), layer.free, strict=True)
        )
        tile, panel, padded = _register_tile(1, high, wide, layer, machine)
        if padded == wide:
            for shared in (True, False):
                chunks = math.ceil(down * along)
                yield Plan(rows, columns, 1, chunks, high, wide, tile, panel, shared)


def _free_parts(tiles: float, counts: Sequence[int]) -> list[int]:
    """Those of `counts` that are no more than there are tiles, which may be less than one."""
    return [count for count in counts if count < tiles + 1]


def _axes(taps: int, stride: int) -> list[Axis]:
    return [Axis(m, taps, stride, _LONGEST.get(taps, taps)) for m in OUTPUTS[taps, stride]]


def _parts(height: int) -> list[int]:
    """Rows of tiles of a chunk: cuts into 1, 2, 3 … chunks that are about equal."""
    return sorted({-(-height // chunks) for chunks in range(1, height + 1)})


def _register_tile(
    images: int, rows: int, columns: int, layer: Layer, machine: Machine
) -> tuple[tuple[int, int, int], int, int]:
    """(images, rows, columns) of tiles × a panel of channels to sum up at once; and the padded columns."""
    found = []
    for panel in _panels(layer.out_blocks):
        waste = -(-layer.out_blocks // panel) * panel / layer.out_blocks
        far = layer.in_blocks * panel * machine.lanes**2 * 4 > _NEAREST
        for i, r, s in product(divisors(images), divisors(rows), range(1, columns + 1)):
            scalars = i * r * s
            sums = scalars * panel
            if sums > machine.accumulators or sums + panel + 1 > machine.registers:
                continue
            padded = -(-columns // s) * s
            cost = tile_cost(scalars, panel)[0] + far * panel / sums / 2
            found.append((cost * waste * padded / columns, panel, sums, (i, r, s), padded))
    _cost, panel, _sums, tile, padded = min(found)
    return tile, panel * machine.lanes, padded


def _panels(blocks: int) -> list[int]:
    """Vectors of a panel: whole parts of the channels, any number where there are none."""
    fitting = [d for d in divisors(blocks) if 1 < d <= _WIDEST]
    return [1, *(fitting or range(2, _WIDEST + 1))]


def _cost(plan: Plan, layer: Layer, machine: Machine) -> float:
    cores = machine.cores or _UNKNOWN_CORES
    places = plan.rows.size * plan.columns.size
    vector = machine.lanes * 4
    groups = layer.images // plan.images * plan.chunks
    tiles = plan.images * plan.tile_rows * plan.tile_columns  # of a chunk
    channels_in = layer.in_blocks * machine.lanes
    channels_out = -(-layer.out_blocks * machine.lanes // plan.panel) * plan.panel // machine.lanes
    products = groups * tiles * places * channels_in * channels_out
    transforms = groups * tiles * places * _TRANSFORM * (layer.in_blocks + layer.out_blocks)
    weights = places * channels_in * channels_out * vector
    chunk = tiles * places * (layer.in_blocks + channels_out) * vector
    if plan.chunks_are_shared:
        turns = math.ceil(groups / cores)
        compute = (products + transforms) / groups * turns
        stream = weights * (1 / _COMMON_BYTES + (turns - 1) / _NEAR_BYTES)
        spilled = max(0, chunk - _NEAR) * 2 * turns / _NEAR_BYTES
        return compute + _waiting(stream, compute) + spilled + _START
    compute = (products + transforms) / cores
    stream = weights * (1 / _FAR_BYTES + (groups - 1) / _NEAR_BYTES / cores)
    return (
        compute + _waiting(stream, compute) + chunk * groups * 2 / _OTHERS_BYTES / cores + 3 * groups * _START
    )


def _waiting(stream: float, compute: float) -> float:
    """What of the time to bring weights is not hidden behind the arithmetic."""
    return max(stream / 2, stream - compute / 3)


def _direct_cost(layer: Layer, machine: Machine) -> float:
    cores = machine.cores or _UNKNOWN_CORES
    taps = math.prod(layer.taps)
    places = layer.images * layer.height * layer.width
    compute = places * taps * layer.in_blocks * machine.lanes * layer.out_blocks * _DIRECT / cores
    weights = taps * layer.in_blocks * machine.lanes * layer.out_blocks * machine.lanes * 4
    return compute + _waiting(weights / _FAR_BYTES, compute) + _START
