"""A comparison as an SVG file of its own, for papers and slides: dots, median and p95 of each side."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from neo_magics.runtime.axis import axis_limit, scatter, thinned, ticks
from neo_magics.runtime.tables import milliseconds

if TYPE_CHECKING:
    from neo_magics.runtime.comparison import Comparison, SideResult

_WIDTH, _ROW, _TOP, _LEFT = 720, 64, 40, 16
_STRIP = 28  # height of the dots
COLOURS = ("#a04a00", "#0a5fc4", "#6f3fb5", "#00706b", "#7a5c00", "#8c1d5a")


def comparison_svg(comparison: Comparison) -> str:
    """All sides on one axis from 0 ms, the verdict on top."""
    sides = comparison.sides
    limit = axis_limit(
        [side.median_ms for side in sides], [side.p95_ms for side in sides], [s.samples_ms for s in sides]
    )
    height = _TOP + _ROW * len(sides) + 28
    rows = "".join(_row(side, index, limit) for index, side in enumerate(sides))
    low, high = comparison.ratio_interval
    said = f"{comparison.verdict} (95 % interval of the ratio: {low:.2f} to {high:.2f})"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" role="img" font-family="sans-serif" font-size="13">'
        f"<title>{escape(said)}</title>"
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        f'<text x="{_LEFT}" y="24" font-size="15" font-weight="600">{escape(said)}</text>'
        f"{rows}{_axis(limit, _TOP + _ROW * len(sides))}</svg>\n"
    )


def _row(side: SideResult, index: int, limit: float) -> str:
    top, colour = _TOP + _ROW * index, COLOURS[index % len(COLOURS)]
    words = f"median {milliseconds(side.median_ms)} ms, p95 {milliseconds(side.p95_ms)} ms"
    seen = thinned([sample for sample in side.samples_ms if sample <= limit])
    dots = "".join(
        f'<circle cx="{_x(value, limit)}" cy="{top + 28 + scatter(at) * (_STRIP - 6):.1f}" r="2.5"/>'
        for at, value in enumerate(seen)
    )
    marks = _mark(side.median_ms, limit, top, 3) + _mark(side.p95_ms, limit, top, 1)
    return (
        f'<text x="{_LEFT}" y="{top + 16}"><tspan font-weight="600" fill="{colour}">{escape(side.label)}'
        f'</tspan> {words}</text><g fill="{colour}" stroke="none" fill-opacity="0.35">{dots}</g>'
        f'<g stroke="{colour}">{marks}</g>'
    )


def _mark(value: float, limit: float, top: float, width: int) -> str:
    if value > limit:
        return ""
    at = _x(value, limit)
    return f'<line x1="{at}" x2="{at}" y1="{top + 24}" y2="{top + 24 + _STRIP}" stroke-width="{width}"/>'


def _axis(limit: float, top: int) -> str:
    marks = "".join(
        f'<line x1="{_x(tick, limit)}" x2="{_x(tick, limit)}" y1="{top}" y2="{top + 4}" stroke="#777777"/>'
        f'<text x="{_x(tick, limit)}" y="{top + 17}" font-size="11" '
        f'text-anchor="{"start" if tick == 0 else "middle"}">{f"{tick:.3g}" if tick else "0 ms"}</text>'
        for tick in ticks(limit)
    )
    return f'<line x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{top}" y2="{top}" stroke="#777777"/>{marks}'


def _x(value: float, limit: float) -> str:
    return f"{_LEFT + (_WIDTH - 2 * _LEFT) * max(0.0, value) / limit:.1f}"
