"""What a comparison panel shows, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class SideView:
    """One side: latencies in ms; `size`, `memory` in bytes, `load` in seconds, `accuracy` 0 to 1, or None.

    `ratio` is to the first side, with its interval; `difference` the largest of the outputs; both "" for it.
    """

    label: str
    samples: Sequence[float]
    median: float
    p95: float
    size: float | None = None
    load: float | None = None
    memory: float | None = None
    accuracy: float | None = None
    ratio: str = ""
    difference: str = ""


@dataclass(frozen=True)
class ComparisonView:
    """`direction` is faster, slower or same; the other texts are whole sentences for a person."""

    verdict: str
    ratio: float  # of the medians, before over after: above 1 is faster
    direction: str
    certainty: str
    sides: tuple[SideView, ...]
    conditions: str


def comparison_view(comparison: Any) -> ComparisonView:
    """The view of a `neo_magics.runtime.compare.Comparison`, from what its `to_dict` says."""
    body: Mapping[str, Any] = comparison.to_dict()
    low, high = body["ratio_interval"]
    others = body.get("others", ())
    rivals = [(body["after"], body), *((other["side"], other) for other in others)]
    return ComparisonView(
        verdict=f"{body['after']['label']}: {body['verdict']}" if others else body["verdict"],
        ratio=body["ratio"],
        direction=_direction(low, high),
        certainty=_certainty(low, high),
        sides=(_side(body["before"]), *(_rival(side, figures) for side, figures in rivals)),
        conditions=_conditions(body, [body["before"], *(side for side, _figures in rivals)])
        + _precisions(rivals),
    )


def _precisions(rivals: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Of models in a narrow dtype: how much of each, what was allowed, and how far its classes agree."""
    from neo_magics.runtime.tables import precision_lines

    told = [(side["label"], precision_lines(figures.get("difference") or {})) for side, figures in rivals]
    return "".join(f" {label}: {line}" for label, lines in told for line in lines)


def _certainty(low: float, high: float) -> str:
    from neo_magics.runtime.statistics import UNSURE

    interval = f"95 % interval of the ratio: {_figure(low)} to {_figure(high)}"
    if high < UNSURE * low:
        return interval
    return f"{interval}. The machine was busy; measure again with job.compare(x)."


def _figure(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def _direction(low: float, high: float) -> str:
    """Faster or slower only where the whole interval says so."""
    return "faster" if low > 1 else "slower" if high < 1 else "same"


def _side(body: Mapping[str, Any]) -> SideView:
    return SideView(
        label=body["label"],
        samples=body["samples_ms"],
        median=body["median_ms"],
        p95=body["p95_ms"],
        size=body.get("size_bytes"),
        load=body.get("load_seconds"),
        memory=body.get("peak_memory_bytes"),
        accuracy=body.get("accuracy"),
    )


def _rival(body: Mapping[str, Any], figures: Mapping[str, Any]) -> SideView:
    low, high = figures["ratio_interval"]
    difference = figures.get("difference") or {}
    return replace(
        _side(body),
        ratio=f"{_figure(figures['ratio'])} × ({_figure(low)} to {_figure(high)})",
        difference=f"{difference['max_abs']:.1e}" if "max_abs" in difference else "",
    )


def _conditions(body: Mapping[str, Any], sides: Sequence[Mapping[str, Any]]) -> str:
    *first, last = (str(len(side["samples_ms"])) for side in sides)
    threads = body["threads"]
    workers = f"{threads} thread{'s' if threads != 1 else ''}"
    return (
        f"{', '.join(first)} and {last} calls in {body['rounds']} alternating rounds, "
        f"processes of their own, {workers}, {body['cpu']}, {body['inputs']} inputs."
    )
