"""The axis of latencies that all pictures of them share: how far it goes, its ticks, which dots are drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

DOTS = 60
FARTHEST = 3  # medians of the slowest side that the axis shows at most


def axis_limit(medians: Sequence[float], p95s: Sequence[float], samples: Sequence[Sequence[float]]) -> float:
    """Past every p95 and nearly every sample, but never so far that a few outliers squeeze the rest."""
    wide = max([*p95s, *(_quantile(each, 0.98) for each in samples)]) * 1.08
    return min(wide, FARTHEST * max(medians)) or 1.0


def _quantile(samples: Sequence[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def thinned(samples: Sequence[float]) -> list[float]:
    """At most `DOTS` of the samples, evenly through their order by size: the same distribution."""
    ordered = sorted(samples)
    if len(ordered) <= DOTS:
        return ordered
    step = (len(ordered) - 1) / (DOTS - 1)
    return [ordered[round(index * step)] for index in range(DOTS)]


def ticks(limit: float) -> list[float]:
    """Round numbers from 0 to `limit`, two to six of them."""
    rough = limit / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough))
    return [index * step for index in range(int(limit / step) + 1)]


def scatter(index: int) -> float:
    """A height from 0 to 1 for the dot at `index`: the golden ratio spreads neighbours, always alike."""
    return index * 0.618034 % 1
