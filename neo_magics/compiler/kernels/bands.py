"""Which blocks of the data a block of output channels reads, in a convolution with groups.

Groups need not consist of whole blocks: a block of output channels reads all blocks in which the groups that
it takes part in have a channel, and weights are zero where a channel is of another group. So a result reads
little more than its own group, whatever the group's width, and every vector is full.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Bands:
    """`channels` (in, out) in all `groups`; `lanes` (of a block of the data, of a block of the result)."""

    channels: tuple[int, int]
    groups: int
    lanes: tuple[int, int]

    @property
    def widths(self) -> tuple[int, int]:
        """Channels (in, out) of one group."""
        return self.channels[0] // self.groups, self.channels[1] // self.groups

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of the data, and of the result."""
        inner, outer = (-(-c // v) for c, v in zip(self.channels, self.lanes, strict=True))
        return inner, outer

    @property
    def span(self) -> int:
        """Blocks of the data that every block of the result reads."""
        inner, outer = self.widths
        last = [min((o + 1) * self.lanes[1], self.channels[1]) - 1 for o in range(self.blocks[1])]
        ends = [((c // outer + 1) * inner - 1) // self.lanes[0] for c in last]
        return int(max(end - self._first(o) + 1 for o, end in enumerate(ends)))

    @property
    def shared(self) -> int:
        """Neighbouring blocks of the result that read the same: a tile of so many loads its data once."""
        starts = [self.start(o, min) for o in range(self.blocks[1])]
        return math.gcd(*(len(list(run)) for _start, run in groupby(starts)))

    def start(self, block: Any, smaller: Any) -> Any:
        """The first block of the data that a block of the result reads; `smaller` is min of such numbers."""
        return smaller(self._first(block), self.blocks[0] - self.span) if self.groups > 1 else 0

    def gather(self, weight: Array) -> Array:
        """O I/groups H W → O (span · lanes) H W: each channel's weights where its block finds its data."""
        out, inner, *taps = weight.shape
        channel = np.arange(out)
        starts = np.array([self.start(o, min) for o in range(self.blocks[1])]) * self.lanes[0]
        begin = channel // self.widths[1] * inner - starts[channel // self.lanes[1]]
        band = np.zeros((out, self.span * self.lanes[0], *taps), weight.dtype)
        band[channel[:, None], begin[:, None] + np.arange(inner)] = weight
        return band

    def own(self, block: Any, channel: Any, place: Any, smaller: Any) -> Any:
        """Which channel of its own group a result's `channel` finds at `place` of what its block reads."""
        first = self.start(block, smaller) * self.lanes[0]
        return place + first - channel // self.widths[1] * self.widths[0]

    def _first(self, block: Any) -> Any:
        return block * self.lanes[1] // self.widths[1] * self.widths[0] // self.lanes[0]
