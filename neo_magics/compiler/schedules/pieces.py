"""How threads share a packed convolution: which part of the result is whose.

A line of the cache that another core has written costs about ten times one of the own cache. So each thread
takes the same rows of every image from layer to layer, and finds there what it has written itself: the idea
of owner computes. It then reads all weights; where those are more than the images, threads share channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.s_tir import Schedule

from neo_magics.compiler.kernels.tiles import divisors
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.schedules import loops
from neo_magics.compiler.schedules.loops import Block, Loop

COPY_BYTES = 256 * 1024  # of a padded or scaled copy that stays in the second cache
MANY = 8  # threads, where the machine's are not known: pieces enough for most
EVEN = 8  # rows for each thread, from where one more or less does not count


@dataclass(frozen=True)
class Pieces:
    """One iteration of `outer` is a piece. `own_copies`: each piece makes what it reads for itself.

    `channels` says which of the loops, outer and inner, count the tiles of output channels.
    """

    outer: list[Loop]
    inner: list[Loop]
    channels: tuple[int, ...]
    own_copies: bool = False

    @property
    def shared(self) -> list[Loop]:
        """The loops whose iterations threads share."""
        return self.outer if self.own_copies else [*self.outer, *self.inner]


def cut(
    sch: Schedule, conv: Block, nest: Sequence[Loop], copies: Sequence[Block], machine: Machine
) -> Pieces:
    """Pieces of the result loops `nest`: batch, tiles of channels, rows."""
    n, channel, row = nest
    threads, rows = max(machine.cores, 2) if machine.cores else MANY, loops.extent(sch, row) or 1
    padded = any(loops.is_padding(sch, block) for block in copies)
    if _images_outweigh(sch, conv):
        strips = _strips(sch, rows, copies, threads)
        if strips is not None:
            strip, row = sch.split(row, [strips, None])
            return Pieces([n, strip], [channel, row], (2,), bool(copies))
        if rows >= EVEN * threads and not padded:
            return Pieces([n, row], [channel], (2,), bool(copies))
    if copies and not padded and (loops.extent(sch, channel) or 1) % threads == 0:
        chunk, channel = sch.split(channel, [threads, None])
        return Pieces([n, chunk], [channel, row], (1, 2), own_copies=True)
    return Pieces([n, channel, row], [], (1,))


def too_few(sch: Schedule, shared: Sequence[Loop], machine: Machine) -> bool:
    """Whether threads would idle if they shared these loops alone: an image of one row and few channels.

    They share the tiles of a row as well then.
    """
    extents = [loops.extent(sch, loop) for loop in shared]
    threads, count = machine.cores or MANY, math.prod(size or 1 for size in extents)
    return None not in extents and count < EVEN * threads and count % threads != 0


def _images_outweigh(sch: Schedule, conv: Block) -> bool:
    """Whether an image, read and written, is at least half of the weights."""
    data, weight = (_sizes(region) for region in sch.get(conv).reads[:2])
    result = _sizes(sch.get(conv).writes[0])
    return 2 * (math.prod(data[1:]) + math.prod(result[1:])) >= math.prod(weight)


def _strips(sch: Schedule, rows: int, copies: Sequence[Block], threads: int) -> int | None:
    """How many strips of rows: as few as fill the threads, and as keep a strip's copy in the cache."""
    image = sum(4 * math.prod(_sizes(sch.get(block).writes[0])[1:]) for block in copies)
    fitting = [count for count in divisors(rows) if count % threads == 0]
    near = [count for count in fitting if image / count <= COPY_BYTES]
    return min(near or fitting[-1:], default=None)


def _sizes(region: Any) -> list[int]:
    """The shape of the buffer; a free dimension counts as one."""
    return [int(size) if isinstance(size, tirx.IntImm) else 1 for size in region.source.shape]
