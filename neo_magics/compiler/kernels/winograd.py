"""Convolution with fewer multiplications, after Winograd (Lavin and Gray, CVPR 2016), on packed channels.

m results of a window of r taps are a product of m + r - 1 numbers, not m · r, between transforms that only
add: of the input (Bᵀ d), of the weights, ahead of time (G w), and of the result (Aᵀ …). In two dimensions
F(4 × 4, 3 × 3) takes 36 multiplications where 144 were. The products of one place of the tile, over all tiles
and channels, are a matrix product. Strided and long windows are sums of such convolutions (Huang et al.,
AAAI 2020, decompose them so): 3 × 3 with stride 2 takes 25 multiplications for 2 × 2 results instead of 36.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tvm import te, tirx

from neo_magics.compiler.kernels import KERNEL, TILE
from neo_magics.compiler.kernels.conv2d import Window, pad_to
from neo_magics.compiler.kernels.sizes import ceil_div
from neo_magics.compiler.kernels.winograd_axis import Axis

WINOGRAD = "winograd"
STAGE = "neo_stage"
Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Plan:
    """How one convolution is cut.

    `rows`, `columns` are the transforms of the axes. A chunk is `images` whole images, or of one image
    `tile_rows` rows of `tile_columns` tiles: its transformed values stay in the cache. There are about
    `chunks` of an image. The register tile is `tile` = (rows of tiles, columns of tiles) scalars times
    `panel` output channels.
    """

    rows: Axis
    columns: Axis
    images: int
    chunks: int
    tile_rows: int
    tile_columns: int
    tile: tuple[int, int, int]
    panel: int
    chunks_are_shared: bool

    @property
    def cut(self) -> list[int]:
        """What the schedule needs, as the annotation `TILE`."""
        results = (self.rows.outputs, self.columns.outputs)
        return [
            self.images,
            self.tile_rows,
            self.tile_columns,
            *results,
            *self.tile,
            self.panel,
            int(self.chunks_are_shared),
        ]


def transform_weight(weight: Matrix, plan: Plan, in_lanes: int) -> Matrix:
    """O I KH KW → [size, size, O/panel, I, panel], computed in double precision."""
    out, inner, height, width = weight.shape
    both = np.kron(plan.rows.weight, plan.columns.weight)
    flat = both @ weight.reshape(out * inner, height * width).T.astype("float64")
    filled = np.zeros(
        (both.shape[0], -(-out // plan.panel) * plan.panel, -(-inner // in_lanes) * in_lanes), "float32"
    )
    filled[:, :out, :inner] = flat.reshape(-1, out, inner)
    blocked = filled.reshape(plan.rows.size, plan.columns.size, -1, plan.panel, filled.shape[2])
    return blocked.transpose(0, 1, 2, 4, 3)


def winograd_conv2d(
    data: Any, weight: Any, *, window: Window, plan: Plan, blocks: int, out: Sequence[Any] = ()
) -> Any:
    """data N C/v H W v, weight as `transform_weight` makes it → N O/v H W v, `blocks` blocks of channels.

    `out`: the height and width of the result, where they are only known later.
    """
    batch, lanes = data.shape[0], int(data.shape[4])
    out_h, out_w = out or window.out_size(
        int(data.shape[2]), int(data.shape[3]), (plan.rows.taps, plan.columns.taps)
    )
    down = ceil_div(out_h, plan.tile_rows * plan.rows.outputs)
    along = ceil_div(out_w, plan.tile_columns * plan.columns.outputs)
    padded = pad_to(
        data,
        window,
        down * (plan.tile_rows * plan.rows.step) + plan.rows.span - plan.rows.step,
        along * (plan.tile_columns * plan.columns.step) + plan.columns.span - plan.columns.step,
        _stage("pad"),
    )
    lead = (batch // plan.images if plan.images > 1 else batch, down, along)
    tiles = _transformed(padded, plan, lead, lanes)
    products = _products(tiles, weight, plan)
    results = _results(products, plan, blocks, lanes)
    m_h, m_w, images = plan.rows.outputs, plan.columns.outputs, plan.images

    def element(n: Any, o: Any, y: Any, x: Any, v: Any) -> Any:
        chunk = y // (plan.tile_rows * m_h), x // (plan.tile_columns * m_w)
        tile = y // m_h % plan.tile_rows, x // m_w % plan.tile_columns
        return results[(n // images, *chunk, n % images, o, *tile, y % m_h, x % m_w, v)]

    return te.compute((batch, blocks, out_h, out_w, lanes), element, "winograd", attrs=_stage("out"))


def _transformed(padded: Any, plan: Plan, lead: tuple[Any, ...], lanes: int) -> Any:
    """[images/i, chunk down, chunk along, size, size, channel block, i, tile row, tile column, lane]."""
    channel_blocks = int(padded.shape[1])
    tiles = (plan.images, plan.tile_rows, plan.tile_columns)
    half_sizes = (plan.rows.size, plan.columns.span)

    def half(*place: Any) -> Any:
        no, q, p, c, ni, r, s, u, j, v = place
        row = (q * plan.tile_rows + r) * plan.rows.step
        column = (p * plan.tile_columns + s) * plan.columns.step + j
        values = [padded[no * plan.images + ni, c, row + i, column, v] for i in range(plan.rows.span)]
        return pick(u, plan.rows.to_points(values))

    halves = te.compute(
        (*lead, channel_blocks, *tiles, *half_sizes, lanes), half, "half", attrs=_stage("half")
    )

    def whole(*place: Any) -> Any:
        *chunk, u, w, c, ni, r, s, v = place
        values = [halves[(*chunk, c, ni, r, s, u, j, v)] for j in range(plan.columns.span)]
        return pick(w, plan.columns.to_points(values))

    shape = (*lead, plan.rows.size, plan.columns.size, channel_blocks, *tiles, lanes)
    return te.compute(shape, whole, "tiles", attrs=_stage("tiles"))


def _products(tiles: Any, weight: Any, plan: Plan) -> Any:
    """A matrix product for each of the size × size places: [… panel, i, row, column, vector, lane]."""
    *lead, in_blocks, images, rows, columns, lanes = tiles.shape
    panels, vectors = int(weight.shape[2]), int(weight.shape[4]) // int(lanes)
    rc, ri = te.reduce_axis((0, in_blocks), "rc"), te.reduce_axis((0, lanes), "ri")

    def element(*place: Any) -> Any:
        *chunk, u, w, o, ni, r, s, j, v = place
        value = tiles[(*chunk, u, w, rc, ni, r, s, ri)]
        return te.sum(value * weight[u, w, o, rc * lanes + ri, j * lanes + v], axis=[rc, ri])

    shape = (*lead, panels, images, rows, columns, vectors, lanes)
    return te.compute(shape, element, "products", attrs={KERNEL: WINOGRAD, TILE: plan.cut})


def _results(products: Any, plan: Plan, blocks: int, lanes: int) -> Any:
    """[images/i, chunk down, chunk along, i, channel block, tile row, tile column, m, m, lane]."""
    lead, vectors = products.shape[:3], int(products.shape[9])
    tiles = (plan.images, blocks, plan.tile_rows, plan.tile_columns)

    def half(*place: Any) -> Any:
        *chunk, ni, o, r, s, p, w, v = place
        spot = (o // vectors, ni, r, s, o % vectors, v)
        values = [products[(*chunk, u, w, *spot)] for u in range(plan.rows.size)]
        return pick(p, plan.rows.to_results(values))

    shape = (*lead, *tiles, plan.rows.outputs, plan.columns.size, lanes)
    halves = te.compute(shape, half, "half_back", attrs=_stage("half_back"))

    def whole(*place: Any) -> Any:
        *tile, p, k, v = place
        values = [halves[(*tile, p, w, v)] for w in range(plan.columns.size)]
        return pick(k, plan.columns.to_results(values))

    shape = (*lead, *tiles, plan.rows.outputs, plan.columns.outputs, lanes)
    return te.compute(shape, whole, "back", attrs=_stage("back"))


def pick(index: Any, options: Sequence[Any]) -> Any:
    """options[index]; the schedule unrolls the index, and one option is left."""
    chosen = options[-1]
    for number in range(len(options) - 2, -1, -1):
        chosen = tirx.Select(index == number, options[number], chosen)
    return chosen


def _stage(name: str) -> dict[str, Any]:
    return {STAGE: name}
