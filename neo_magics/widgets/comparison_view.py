"""What a comparison panel shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SideView:
    """One side: latencies in ms; `size`, `memory` in bytes, `load` in seconds, `accuracy` 0 to 1, or None."""

    label: str
    samples: Sequence[float]
    median: float
    p95: float
    size: float | None = None
    load: float | None = None
    memory: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class ComparisonView:
    """`direction` is faster, slower or same; the other texts are whole sentences for a person."""

    verdict: str
    ratio: float  # of the medians, before over after: above 1 is faster
    direction: str
    certainty: str
    sides: tuple[SideView, SideView]
    difference: str
    conditions: str


def comparison_view(comparison: Any) -> ComparisonView:
    """The view of a `neo_magics.runtime.compare.Comparison`."""
    raise NotImplementedError
