"""A saved comparison with known figures."""

from __future__ import annotations

from typing import Any

from neo_magics.runtime.compare import Comparison, SideResult


def _side(label: str, median: float) -> SideResult:
    samples = tuple(median * (0.9 + 0.2 * (index % 10) / 9) for index in range(60))
    return SideResult(
        label=label,
        rounds_ms=(samples,),
        median_ms=median,
        p95_ms=median * 1.1,
        mean_ms=median,
        min_ms=median * 0.9,
        spread=0.1,
        size_bytes=104_000,
        load_seconds=0.1,
        memory_bytes=80_000_000,
        peak_memory_bytes=88_000_000,
        versions={},
    )


def comparison(before: float = 0.2, after: float = 0.1) -> dict[str, Any]:
    """Sixty calls a side around `before` and `after` ms."""
    ratio = before / after
    return Comparison(
        before=_side("PyTorch 2.13", before),
        after=_side("compiled", after),
        ratio=ratio,
        ratio_interval=(0.95 * ratio, 1.05 * ratio),
        verdict=f"{ratio:.1f} × faster",
        difference={"max_abs": 2.4e-07, "within_tolerance": True},
        inputs="captured",
        threads=2,
        cores=(0, 1),
        rounds=1,
        cpu="a CPU",
        load_average=0.1,
        python="3.11",
        created="2026-11-23T10:00:00+00:00",
    ).to_dict()
