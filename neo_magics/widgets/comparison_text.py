"""A comparison as plain text."""

from __future__ import annotations

from neo_magics.widgets.comparison_html import rows
from neo_magics.widgets.comparison_view import ComparisonView


def comparison_text(view: ComparisonView) -> str:
    """The verdict, a small table, and how it was measured."""
    table = [["", *(side.label for side in view.sides)], *([name, *cells] for name, cells in rows(view))]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]
    return "\n".join(
        [f"{view.verdict} ({view.certainty})", *(line.rstrip() for line in lines), view.conditions]
    )
