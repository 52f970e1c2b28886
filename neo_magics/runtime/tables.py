"""Measurements as plain text, for terminals and as the honest text of rich objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neo_magics.runtime.description import size_text

if TYPE_CHECKING:
    from neo_magics.runtime.comparison import Comparison, Rival, SideResult


def comparison_text(comparison: Comparison) -> str:
    """The verdict, both sides' figures, and how they were measured."""
    low, high = comparison.ratio_interval
    conditions = (
        f"{comparison.rounds} alternating rounds, {threads_text(comparison.threads)}, {comparison.cpu}, "
        f"{comparison.inputs} inputs."
    )
    difference = comparison.difference
    lines = [
        f"{comparison.verdict} (95 % interval of the ratio: {low:.2f} to {high:.2f})",
        *side_rows(comparison.sides),
        *map(_rival, comparison.others),
        f"Largest difference of the outputs: {difference['max_abs']:.2g}"
        + ("." if difference["within_tolerance"] else ", which is over tolerance."),
        *precision_lines(difference),
        conditions,
    ]
    return "\n".join(lines)


def _rival(rival: Rival) -> str:
    low, high = rival.ratio_interval
    lines = [
        f"{rival.side.label}: {rival.verdict} (95 % interval of the ratio: {low:.2f} to {high:.2f}), largest "
        f"difference of the outputs {rival.difference['max_abs']:.2g}.",
        *precision_lines(rival.difference),
    ]
    return " ".join(lines)


def precision_lines(difference: Mapping[str, Any]) -> list[str]:
    """For a model that computes in a narrow dtype: how much of it, what was allowed, and the classes."""
    precision = difference.get("precision")
    if not precision:
        return []
    worst = max(difference["outputs"], key=lambda output: output["max_abs"], default={"limit": 0.0})
    agreed = [each["agreement"] for each in difference["outputs"] if each.get("agreement") is not None]
    classes = "".join(f" {share:.1%} of the top classes agree." for share in agreed)
    return [
        f"{precision['share']:.0%} of the arithmetic is in {precision['dtype']}; "
        f"a difference up to {worst['limit']:.2g} is allowed.{classes}"
    ]


def side_rows(sides: Sequence[SideResult]) -> list[str]:
    """A table with a column for each side."""
    table = [
        ["", *(side.label for side in sides)],
        ["median", *(f"{milliseconds(side.median_ms)} ms" for side in sides)],
        ["p95", *(f"{milliseconds(side.p95_ms)} ms" for side in sides)],
        ["spread", *(f"{side.spread:.0%}" for side in sides)],
        ["calls", *(str(len(side.samples_ms)) for side in sides)],
        ["size", *(size_text(side.size_bytes) for side in sides)],
        ["load time", *(f"{side.load_seconds:.2f} s" for side in sides)],
        ["memory", *(size_text(side.memory_bytes) for side in sides)],
        ["peak memory", *(size_text(side.peak_memory_bytes) for side in sides)],
    ]
    if any(side.accuracy is not None for side in sides):
        cells = ("" if side.accuracy is None else f"{side.accuracy:.1%}" for side in sides)
        table.insert(4, ["accuracy", *cells])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [_line(row, widths) for row in table]


def milliseconds(value: float) -> str:
    """Three significant figures, never in exponents."""
    if value >= 100:
        return f"{value:.0f}"
    digits = 1 if value >= 10 else 2 if value >= 1 else 3 if value >= 0.1 else 4
    return f"{value:.{digits}f}"


def threads_text(threads: int) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [row[0].ljust(widths[0])]
    cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join(cells).rstrip()
