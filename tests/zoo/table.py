"""The zoo's outcomes in words: a line for each, a row for each framework."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from tests.zoo.outcome import FAILED, PASSED, REFUSED, SKIPPED, WRONG, Outcome

_STATES = (PASSED, REFUSED, WRONG, FAILED, SKIPPED)


def line(result: Outcome) -> str:
    """One model: "xgboost/regression  passed  4.2 s  difference 0  0.120 → 0.004 ms"."""
    words = [
        f"{result.framework.lower()}/{result.name:<28}",
        f"{result.status:<8}",
        f"{result.seconds:5.1f} s",
    ]
    if result.difference is not None:
        words.append(f"difference {result.difference:.1e}, rows {'free' if result.free else 'fixed'}")
    if result.before_ms is not None and result.after_ms:
        ratio = result.before_ms / result.after_ms
        words.append(f"{result.before_ms:.4g} → {result.after_ms:.4g} ms ({ratio:.2f} ×)")
    if not result.expected:
        words.append("NOT EXPECTED")
    return "  ".join([*words, result.why])


def table(results: Sequence[Outcome]) -> str:
    """How many of each framework's models ended how, in Markdown."""
    names = list(dict.fromkeys(result.framework for result in results))
    rows = [
        f"| framework | {' | '.join(_STATES)} | largest difference |",
        "|---|" + "---:|" * (len(_STATES) + 1),
    ]
    for name in names:
        own = [result for result in results if result.framework == name]
        counts = [str(sum(result.status == state for result in own)) for state in _STATES]
        known = [result.difference for result in own if result.difference is not None]
        rows.append(f"| {name} | {' | '.join(counts)} | {f'{max(known):.1e}' if known else ''} |")
    return "\n".join(rows)


def figures(results: Sequence[Outcome]) -> str:
    """README's table, in Markdown: what each framework's models that passed have shown."""
    rows = [
        "| framework | models | archive | live object | free batch | largest difference | speed |",
        "|---|---:|---|---|---|---:|---|",
    ]
    for name in dict.fromkeys(result.framework for result in results):
        own = [result for result in results if result.framework == name and result.status == PASSED]
        if own:
            rows.append(_figures(name, own))
    return "\n".join(rows)


def _figures(name: str, own: Sequence[Outcome]) -> str:
    ways = {result.given for result in own}
    known = [result.relative for result in own if result.relative is not None]
    cells = [
        name,
        str(len(own)),
        *("yes" if way in ways else "" for way in ("archive", "object")),
        f"{sum(bool(result.free) for result in own)} of {len(own)}",
        f"{max(known):.0e}" if known else "",
        _speed(own),
    ]
    return f"| {' | '.join(cells)} |"


def _speed(own: Sequence[Outcome]) -> str:
    ratios = [result.before_ms / result.after_ms for result in own if result.before_ms and result.after_ms]
    if not ratios:
        return ""
    return f"{median(ratios):.3g} × ({min(ratios):.3g} to {max(ratios):.3g})"
