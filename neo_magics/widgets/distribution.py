"""Latencies as strips of dots in SVG: one strip for each side on one axis, median and p95 marked.

What lies beyond the axis is counted in words.

Positions are percentages of the width, so that the picture follows its cell and its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from neo_magics.widgets.style import milliseconds

_DOTS = 60
_STRIP = 30  # pixels
_FARTHEST = 3  # medians of the slower side that the axis shows at most


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
    limit = _axis_limit(strips)
    rows = "".join(_row(strip, limit) for strip in strips)
    return f"{rows}{_axis(limit)}"


def _axis_limit(strips: Sequence[Strip]) -> float:
    """Past every p95 and nearly every sample, but never so far that a few outliers squeeze the rest."""
    wide = max([s.p95 for s in strips] + [_quantile(s.samples, 0.98) for s in strips]) * 1.08
    return min(wide, _FARTHEST * max(s.median for s in strips)) or 1.0


def _quantile(samples: Sequence[float], share: float) -> float:
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _thinned(samples: Sequence[float]) -> list[float]:
    """At most `_DOTS` of the samples, evenly through their order by size: the same distribution."""
    ordered = sorted(samples)
    if len(ordered) <= _DOTS:
        return ordered
    step = (len(ordered) - 1) / (_DOTS - 1)
    return [ordered[round(index * step)] for index in range(_DOTS)]


def _row(strip: Strip, limit: float) -> str:
    seen = [sample for sample in strip.samples if sample <= limit]
    dots = "".join(_dot(value, index, limit) for index, value in enumerate(_thinned(seen)))
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
    # The golden ratio spreads neighbours over the height, the same way each time.
    height = 5 + (index * 0.618034 % 1) * (_STRIP - 10)
    return f'<circle cx="{_percent(value, limit)}" cy="{height:.0f}" r="2.5"/>'


def _mark(value: float, limit: float, width: int) -> str:
    if value > limit:
        return ""
    at = _percent(value, limit)
    return (
        f'<line x1="{at}" x2="{at}" y1="1" y2="{_STRIP - 1}" stroke="currentColor" stroke-width="{width}"/>'
    )


def _axis(limit: float) -> str:
    step = _tick(limit)
    ticks = [index * step for index in range(int(limit / step) + 1)]
    marks = "".join(
        f'<line x1="{_percent(t, limit)}" x2="{_percent(t, limit)}" y1="0" y2="4"/>' for t in ticks
    )
    # The spaces are for viewers that strip the SVG and leave its words.
    words = " ".join(_tick_label(tick, limit) for tick in ticks)
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


def _tick(limit: float) -> float:
    """A round step that gives two to five ticks."""
    rough = limit / 4
    power = 10.0 ** math.floor(math.log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough))


def _percent(value: float, limit: float) -> str:
    return f"{min(1.0, max(0.0, value / limit)) * 100:.2f}%"
