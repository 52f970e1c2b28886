"""Words about speed hold no more than the measurements."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.runtime.statistics import PROCESS_SPREAD, ratio_interval, summarize, verdict


def rounds(center: float, noise: float, seed: int, count: int = 12) -> list[list[float]]:
    """Rounds of ten samples around `center` ms; each round has a drift of its own."""
    rng = np.random.default_rng(seed)
    return [list(center * (1 + noise * rng.standard_normal() + 0.01 * rng.random(10))) for _ in range(count)]


def test_summary_of_known_samples():
    found = summarize([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (found.median_ms, found.mean_ms, found.min_ms) == (3.0, 22.0, 1.0)
    assert found.p95_ms == pytest.approx(80.8)
    assert found.spread == pytest.approx(2 / 3)


@given(st.lists(st.floats(1e-4, 1e4), min_size=1, max_size=50))
def test_the_order_of_figures(samples):
    found = summarize(samples)
    assert found.min_ms <= found.median_ms <= found.p95_ms <= max(samples)
    assert found.spread >= 0


@pytest.mark.parametrize("seed", range(20))
def test_two_of_the_same_are_not_told_apart(seed):
    low, high = ratio_interval(rounds(1.0, 0.02, seed), rounds(1.0, 0.02, seed + 1000))
    assert verdict(1.0, (low, high)) == "no measurable difference"


@pytest.mark.parametrize("seed", range(5))
def test_a_real_difference_lies_within_the_interval(seed):
    low, high = ratio_interval(rounds(2.0, 0.05, seed), rounds(1.0, 0.05, seed + 1000))
    assert 1.7 < low < 2 < high < 2.3


def test_noise_in_common_does_not_hide_a_difference():
    drift = np.random.default_rng(0).uniform(1, 3, 12)
    before = [[1.2 * d] * 5 for d in drift]
    after = [[1.0 * d] * 5 for d in drift]
    low, high = ratio_interval(before, after)
    assert low == pytest.approx(1.2 * (1 - PROCESS_SPREAD))
    assert high == pytest.approx(1.2 * (1 + PROCESS_SPREAD))


@pytest.mark.parametrize(
    ("ratio", "interval", "words"),
    [
        (2.314, (2.2, 2.4), "2.31 × faster"),
        (0.7, (0.68, 0.73), "1.43 × slower"),
        (1.02, (0.99, 1.05), "no measurable difference"),
        (0.97, (0.9, 1.0), "no measurable difference"),
        (123.4, (100.0, 140.0), "123 × faster"),
        (530.0, (92.1, 1469.0), "at least 92 × faster"),  # on a busy machine
        (0.3, (0.1, 0.5), "at least 2.00 × slower"),
    ],
)
def test_verdicts(ratio, interval, words):
    assert verdict(ratio, interval) == words
