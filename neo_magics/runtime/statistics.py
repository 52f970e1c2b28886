"""What repeated timings say, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
# Two processes of one and the same model differ by this much (where memory came to lie, which core). Rounds
# within one pair of processes cannot show it, so it is added to the interval.
PROCESS_SPREAD = 0.03
UNSURE = 2.0  # an interval whose ends differ by this factor says little: the machine was busy


@dataclass(frozen=True)
class Summary:
    """Milliseconds. `spread` is the middle half's width as a share of the median."""

    median_ms: float
    p95_ms: float
    mean_ms: float
    min_ms: float
    spread: float


def summarize(samples_ms: Sequence[float]) -> Summary:
    """The summary of at least one sample."""
    values = np.asarray(samples_ms, float)
    low, median, high, p95 = np.percentile(values, [25, 50, 75, 95])
    spread = (high - low) / median if median else 0.0
    return Summary(float(median), float(p95), float(values.mean()), float(values.min()), float(spread))


def ratio_interval(
    before: Sequence[Sequence[float]], after: Sequence[Sequence[float]], *, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of median(before) / median(after), for samples by round.

    Rounds are resampled in pairs (percentile bootstrap), because samples of one round are alike: they share
    what else the machine did. The interval is then widened by `PROCESS_SPREAD`.
    """
    medians = np.array([[np.median(b), np.median(a)] for b, a in zip(before, after, strict=True)])
    picks = np.random.default_rng(seed).integers(0, len(medians), (RESAMPLES, len(medians)))
    middles = np.median(medians[picks], axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(middles[:, 0] / middles[:, 1], [tail, 100 - tail])
    return float(low) * (1 - PROCESS_SPREAD), float(high) * (1 + PROCESS_SPREAD)


def verdict(ratio: float, interval: tuple[float, float]) -> str:
    """The ratio of times, before over after, in words that promise nothing the interval does not hold."""
    low, high = interval
    if low <= 1 <= high:
        return "no measurable difference"
    bound = "at least " if high >= UNSURE * low else ""
    if bound:
        ratio = low if low > 1 else high
    return bound + (f"{_number(ratio)} × faster" if ratio > 1 else f"{_number(1 / ratio)} × slower")


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
