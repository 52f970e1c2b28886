"""Latencies as strips of dots in SVG: one strip for each side on one axis, median and p95 marked.

What lies beyond the axis is counted in words.

Positions are percentages of the width, so that the picture follows its cell and its text keeps its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from neo_magics.runtime.axis import axis_limit, scatter, thinned, ticks
from neo_magics.widgets.style import milliseconds

_STRIP = 30  # pixels


@dataclass(frozen=True)
class Strip:
    """One row of the picture: latencies in ms, and the accent that it is drawn in."""

    label: str
    samples: Sequence[float]
    median: float
    p95: float
    accent: str


def distribution_svg(strips: Sequence[Strip]) -> str:
    """The strips above each other with one axis from 0 ms."""
    limit = axis_limit([s.median for s in strips], [s.p95 for s in strips], [s.samples for s in strips])
    rows = "".join(_row(strip, limit) for strip in strips)
    return f"{rows}{_axis(limit)}"


def _row(strip: Strip, limit: float) -> str:
    seen = [sample for sample in strip.samples if sample <= limit]
    dots = "".join(_dot(value, index, limit) for index, value in enumerate(thinned(seen)))
    beyond = len(strip.samples) - len(seen)
    far = f"; {beyond} of {len(strip.samples)} calls beyond the axis" if beyond else ""
    label = (
        f"{strip.label}: median {milliseconds(strip.median)} ms, p95 {milliseconds(strip.p95)} ms, "
        f"{len(strip.samples)} runs"
    )
    return (
        f'<div class="neo-strip"><div><b style="color:var({strip.accent})">{escape(strip.label)}</b> '
        f"{milliseconds(strip.median)} ms "
        f'<span class="neo-muted">median, p95 {milliseconds(strip.p95)}{far}</span></div>'
        f'<svg width="100%" height="{_STRIP}" role="img" aria-label="{escape(label, quote=True)}" '
        f'style="color:var({strip.accent})">'
        f'<g fill="currentColor" fill-opacity="0.35">{dots}</g>'
        f"{_mark(strip.median, limit, 3)}{_mark(strip.p95, limit, 1)}</svg></div>"
    )


def _dot(value: float, index: int, limit: float) -> str:
    height = 5 + scatter(index) * (_STRIP - 10)
    return f'<circle cx="{_percent(value, limit)}" cy="{height:.0f}" r="2.5"/>'


def _mark(value: float, limit: float, width: int) -> str:
    if value > limit:
        return ""
    at = _percent(value, limit)
    return (
        f'<line x1="{at}" x2="{at}" y1="1" y2="{_STRIP - 1}" stroke="currentColor" stroke-width="{width}"/>'
    )


def _axis(limit: float) -> str:
    values = ticks(limit)
    marks = "".join(
        f'<line x1="{_percent(t, limit)}" x2="{_percent(t, limit)}" y1="0" y2="4"/>' for t in values
    )
    # The spaces are for viewers that strip the SVG and leave its words.
    words = " ".join(_tick_label(tick, limit) for tick in values)
    return (
        '<svg width="100%" height="20" aria-hidden="true"><g stroke="currentColor" stroke-opacity="0.5">'
        f'<line x1="0" x2="100%" y1="0" y2="0"/>{marks}</g>'
        f'<g fill="currentColor" font-size="11" opacity="0.8">{words}</g></svg>'
    )


def _tick_label(tick: float, limit: float) -> str:
    share = tick / limit
    anchor = "start" if share < 0.03 else "end" if share > 0.95 else "middle"
    text = "0 ms" if tick == 0 else f"{tick:.3g}"
    return f'<text x="{_percent(tick, limit)}" y="16" text-anchor="{anchor}">{text}</text>'


def _percent(value: float, limit: float) -> str:
    return f"{min(1.0, max(0.0, value / limit)) * 100:.2f}%"
