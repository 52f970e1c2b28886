"""Which blocks of the data a block of output channels reads, for groups of any width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.compiler.kernels.bands import Bands


def dense(weight: np.ndarray, groups: int) -> np.ndarray:
    """O I/groups → O I, zero between groups."""
    parts = np.split(weight, groups)
    out = np.zeros((weight.shape[0], weight.shape[1] * groups), weight.dtype)
    for number, part in enumerate(parts):
        rows, columns = part.shape
        out[number * rows : (number + 1) * rows, number * columns : (number + 1) * columns] = part
    return out


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.sampled_from([(4, 4), (16, 16), (8, 8)])
)
def test_the_band_holds_all_weights_of_a_group_and_stays_within_the_data(
    groups: int, inner: int, outer: int, lanes: tuple[int, int]
) -> None:
    bands = Bands((groups * inner, groups * outer), groups, lanes)
    weight = np.arange(1.0, groups * outer * inner + 1).reshape(-1, inner, 1, 1)
    band = bands.gather(weight)[:, :, 0, 0]
    found = np.zeros((groups * outer, bands.blocks[0] * lanes[0]))
    for channel, row in enumerate(band):
        begin = bands.start(channel // lanes[1], min) * lanes[0]
        assert 0 <= begin <= found.shape[1] - len(row)
        found[channel, begin : begin + len(row)] = row
    assert np.array_equal(found[:, : groups * inner], dense(weight[:, :, 0, 0], groups))
    assert not found[:, groups * inner :].any()


@pytest.mark.parametrize(
    ("channels", "groups", "span", "shared"),
    [
        ((440, 440), 55, 1, 1),  # groups of 8: two in a block
        ((104, 104), 13, 1, 1),
        ((128, 128), 32, 1, 1),
        ((64, 128), 2, 2, 4),  # whole blocks: the four of a group read the same two
        ((168, 168), 7, 3, 1),  # groups of 24 do not begin with a block
        ((12, 18), 3, 1, 2),
    ],
)
def test_a_block_reads_little_more_than_its_groups(
    channels: tuple[int, int], groups: int, span: int, shared: int
) -> None:
    bands = Bands(channels, groups, (16, 16))
    assert (bands.span, bands.shared) == (span, shared)
