"""A comparison as HTML: the verdict, both distributions on one axis, and a table for those who read."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from itertools import cycle

from neo_magics.widgets.comparison_view import ComparisonView, SideView
from neo_magics.widgets.distribution import Strip, distribution_svg
from neo_magics.widgets.style import card, milliseconds, size

_ACCENTS = ("--neo-before", "--neo-run", "--neo-third", "--neo-fourth")

# Row of the table → its text for one side; rows that no side has are left out.
ROWS: tuple[tuple[str, Callable[[SideView], str]], ...] = (
    ("median", lambda side: f"{milliseconds(side.median)} ms"),
    ("p95", lambda side: f"{milliseconds(side.p95)} ms"),
    ("times as fast (95 %)", lambda side: side.ratio),
    ("accuracy", lambda side: "" if side.accuracy is None else f"{side.accuracy:.1%}"),
    ("model size", lambda side: "" if side.size is None else size(side.size)),
    ("load time", lambda side: "" if side.load is None else f"{side.load:.2f} s"),
    ("peak memory", lambda side: "" if side.memory is None else size(side.memory)),
    ("largest difference", lambda side: side.difference),
)


def comparison_html(view: ComparisonView) -> str:
    """The comparison without a border, to be put into a panel."""
    accent = {"faster": "neo-ok", "slower": "neo-bad"}.get(view.direction, "neo-warn")
    strips = [
        Strip(side.label, side.samples, side.median, side.p95, tint)
        for side, tint in zip(view.sides, cycle(_ACCENTS), strict=False)
    ]
    return (
        f'<div class="neo-verdict {accent}">{escape(view.verdict)}</div>'
        f'<div class="neo-muted">{escape(view.certainty)}</div>'
        f"{distribution_svg(strips)}"
        f'<div class="neo-scroll{" neo-sides" if len(view.sides) > 2 else ""}">{_table(view)}</div>'
        f'<div class="neo-muted">{escape(view.conditions)}</div>'
    )


def comparison_card(view: ComparisonView) -> str:
    """The comparison as a panel of its own."""
    return card(comparison_html(view), label=f"Comparison: {view.verdict}")


def rows(view: ComparisonView) -> list[tuple[str, list[str]]]:
    """The table's rows that at least one side has; the headline says the ratio of two sides."""
    found = [(name, [text(side) for side in view.sides]) for name, text in ROWS]
    several = len(view.sides) > 2
    return [
        (name, cells) for name, cells in found if any(cells) and (several or not name.startswith("times"))
    ]


def _table(view: ComparisonView) -> str:
    head = "".join(f'<th scope="col">{escape(side.label)}</th>' for side in view.sides)
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(map(_cell, view.sides, cells))}</tr>'
        for name, cells in rows(view)
    )
    return f"<table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(side: SideView, text: str) -> str:
    """A narrow panel has no columns: there each cell says whose it is."""
    return f'<td data-side="{escape(side.label, quote=True)}">{escape(text)}</td>'
