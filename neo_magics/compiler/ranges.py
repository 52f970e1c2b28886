"""Which range of numbers becomes the 256 bytes of an operand: all of it, or less and finer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neo_magics.compiler.passes.narrow_operand import LEVELS, Range

Array = np.ndarray[Any, Any]
CLEARLY = 0.8  # of the whole range's error; a sample says no more than that
SHARES = (0.9999, 0.999, 0.99)  # of the numbers that a narrower range keeps; the others become its ends


def best_range(values: Array, low: float, high: float) -> Range:
    """The range with the least mean squared error over `values`, a sample of what lies in [low, high].

    A few large numbers far from all others would make every step coarse. Candidates are the whole range and
    percentiles on either side (Wu et al. 2020, "Integer quantization for deep learning inference"); errors
    decide, so that outliers that matter stay. The whole range unless another one is clearly better.
    """
    whole = Range(low, high)
    if not values.size:
        return whole
    found = min(_candidates(values, whole), key=lambda each: squared_error(values, each))
    return found if squared_error(values, found) < CLEARLY * squared_error(values, whole) else whole


def squared_error(values: Array, within: Range) -> float:
    """The mean squared difference that quantising `values` makes."""
    steps = np.rint(values / within.scale) + within.zero
    restored = (np.clip(steps, 0, LEVELS) - within.zero) * within.scale
    return float(np.mean(np.square(restored - values, dtype=np.float64)))


def _candidates(values: Array, whole: Range) -> Iterator[Range]:
    for share in SHARES:
        low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
        yield Range(max(float(low), whole.low), min(float(high), whole.high))
