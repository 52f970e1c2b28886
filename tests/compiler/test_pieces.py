"""Threads share a convolution's rows where images outweigh weights, and channels where they do not."""

from __future__ import annotations

from typing import Any

import pytest
import tvm
import tvm_ffi
from tvm import te, tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels.conv2d import CONV2D, Window, conv2d
from neo_magics.compiler.kernels.conv2d_tiles import CONV2D_TILES, Phases, conv2d_tiles
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.convolution import schedule_convolution
from neo_magics.compiler.schedules.convolution_tiles import schedule_convolution_tiles
from neo_magics.compiler.schedules.pieces import cut

LANES, CORES = 8, 2


def pieces(
    channels: tuple[int, int], size: tuple[int, int], taps: int = 1, cores: int = CORES
) -> tuple[list[int | None], bool]:
    """The extents of the loops that threads share, and whether a piece makes its own copies."""
    inner, outer = (count // LANES for count in channels)
    data = te.placeholder((1, inner, *size, LANES), name="data")
    weight = te.placeholder((outer, inner, taps, taps, LANES, LANES), name="weight")
    window = Window((1, 1), (taps // 2,) * 4, (1, 1))
    func = te.create_prim_func([data, weight, conv2d(data, weight, window=window, tile=(1, 1))])
    sch = Schedule(tvm.IRModule({"main": func}))
    conv = loops.find_annotated(sch, "neo_kernel", "conv2d")
    copies = [block for block in sch.get_producers(conv) if loops.is_padding(sch, block)]
    n, channel, row, _column, _lane = sch.get_loops(loops.sole_consumer(sch, conv))
    found = cut(sch, conv, (n, channel, row), copies, Machine("x86_64", LANES, 16, cores))
    return [loops.extent(sch, loop) for loop in found.shared], found.own_copies


@pytest.mark.parametrize(
    ("channels", "size", "shared"),
    [
        ((16, 32), (14, 14), [1, 2, 4, 7]),  # batch, strips, channels, rows of a strip
        ((16, 32), (33, 33), [1, 33, 4]),  # no strips of one height: row by row
        ((16, 32), (7, 7), [1, 4, 7]),  # too few rows
        ((512, 512), (4, 4), [1, 64, 4]),  # the weights are more
    ],
)
def test_what_threads_share(channels: tuple[int, int], size: tuple[int, int], shared: list[int]) -> None:
    assert pieces(channels, size) == (shared, False)


def test_a_padded_copy_is_made_strip_by_strip() -> None:
    assert pieces((16, 32), (14, 14), taps=3) == ([1, 2], True)
    strips = pieces((64, 16), (128, 128), taps=3)[0][1]
    assert (strips or 0) > CORES  # 4 MB, of which a strip has to fit the cache


def test_threads_that_are_not_known_find_pieces_enough() -> None:
    (_batch, strips), own = pieces((16, 32), (64, 64), taps=3, cores=0)
    assert own
    assert (strips or 0) >= 8


@pytest.mark.parametrize("kind", [CONV2D, CONV2D_TILES])
@pytest.mark.parametrize(
    ("channels", "size", "pieces"),
    [
        ((16, 16), (1, 960), 2),  # one row for all: whole tiles of channels are enough
        ((16, 24), (1, 960), 960 // 4 * 3),  # one thread would have two of the three
        ((64, 8), (1, 960), 960 // 4),
        ((16, 8), (60, 16), 60),
    ],
)
def test_threads_share_the_tiles_of_a_row_where_else_they_would_idle(
    kind: str, channels: tuple[int, int], size: tuple[int, int], pieces: int
) -> None:
    inner, outer = (count // LANES for count in channels)
    data = te.placeholder((1, inner, *size, LANES), name="data")
    window, tile, machine = Window((1, 1), (0, 0, 0, 0), (1, 1)), (4, 1), Machine("x86_64", LANES, 16, CORES)
    if kind == CONV2D:
        weight = te.placeholder((outer, inner, 1, 1, LANES, LANES), name="weight")
        made, rule = conv2d(data, weight, window=window, tile=tile, across=True), schedule_convolution
    else:
        weight = te.placeholder((1, 1, outer, inner, 1, 1, LANES, LANES), name="weight")
        made = conv2d_tiles(data, weight, phases=Phases(window), out=size, tile=tile)
        rule = schedule_convolution_tiles
    scheduled = rule(te.create_prim_func([data, weight, made]), machine)
    assert scheduled is not None
    assert _parallel(scheduled.mod["main"].body) == [pieces * (outer if size[0] > 1 else 1)]


def _parallel(body: Any) -> list[int]:
    found: list[Any] = []
    tvm_ffi.structural_walk(body, (tirx.For, found.append), order="post")
    return [int(loop.extent) for loop in found if loop.kind == tirx.ForKind.PARALLEL]
