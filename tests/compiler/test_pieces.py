"""Threads share a convolution's rows where images outweigh weights, and channels where they do not."""

from __future__ import annotations

import pytest
import tvm
from tvm import te
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels.conv2d import Window, conv2d
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
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
