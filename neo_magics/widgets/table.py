"""A small table that shows as HTML in notebooks and as aligned text elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from neo_magics.widgets.style import card

_SHORT = 16  # characters


@dataclass(frozen=True)
class Table:
    """Rows of text under `columns`; `empty` is said where there are no rows, `note` below them."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str = "Nothing to show."
    note: str = ""

    def __repr__(self) -> str:
        if not self.rows:
            return self.empty
        widths = [max(len(row[i]) for row in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.columns, *self.rows)
        ]
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_html_(self) -> str:
        if not self.rows:
            return card(f'<span class="neo-muted">{escape(self.empty)}</span>')
        head = "".join(f'<th scope="col" class="neo-text">{escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in self.rows)
        note = f'<div class="neo-muted">{escape(self.note)}</div>' if self.note else ""
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return card(f'<div class="neo-scroll">{table}</div>{note}')


def _cell(text: str) -> str:
    """Short words stay on one line; long ones give way."""
    short = " neo-short" if len(text) <= _SHORT else ""
    return f'<td class="neo-text{short}">{escape(text)}</td>'
