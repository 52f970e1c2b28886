"""The benchmark's tables, as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from neo_magics.runtime.description import size_text
from neo_magics.runtime.tables import milliseconds
from tests.benchmarks.peers import OURS, PEERS
from tests.benchmarks.results import ModelResult, PeerResult, Ratio, geometric_means

_COLUMNS = [
    "",
    "median",
    "p95",
    "compile",
    "peak memory",
    "size",
    "load",
    "resident",
    "private",
    "difference",
]


def details(result: ModelResult) -> str:
    """All figures of one model, a row for each peer, and our ratio to the best of the others."""
    rows = [_COLUMNS, *(_row(peer) for peer in result.peers)]
    lines = [f"{result.model} ({result.kind})", *_aligned(rows)]
    if ratio := result.ratio:
        lines.append(f"{_words(ratio)} than the best peer, {PEERS[ratio.peer].label}")
    return "\n".join(lines)


def overview(results: Sequence[ModelResult]) -> str:
    """A row for each model, a column for each peer's median, and the ratio to the best peer."""
    keys = [key for key in PEERS if any(each.peer == key for result in results for each in result.peers)]
    header = ["ms", *(PEERS[key].label for key in keys), "ratio", "95 %", "to eager"]
    rows = [header, *(_model_row(result, keys) for result in results)]
    means = [f"geometric mean, {kind}: {mean:.2f}" for kind, mean in geometric_means(results).items()]
    failed = [
        f"{result.model}, {PEERS[each.peer].label}: {each.error or each.wrong}"
        for result in results
        for each in result.peers
        if each.error or each.wrong
    ]
    return "\n".join([*_aligned(rows), "ratio: median of the best peer over ours", *means, *failed])


def markdown(results: Sequence[ModelResult]) -> str:
    """The overview as a Markdown table, as the README has it."""
    keys = [key for key in PEERS if any(each.peer == key for result in results for each in result.peers)]
    header = ["ms", *(PEERS[key].label for key in keys), "to the best peer"]
    rows = [header, ["---", *("---:" for _ in header[1:])]]
    for result in results:
        ratio = result.ratio
        told = f"{ratio.value:.2f} × ({ratio.low:.2f}-{ratio.high:.2f})" if ratio else ""
        rows.append([*_model_row(result, keys)[:-3], told])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _model_row(result: ModelResult, keys: Sequence[str]) -> list[str]:
    cells = []
    for key in keys:
        peer = next((each for each in result.peers if each.peer == key), None)
        cells.append("" if peer is None else _median(peer))
    ratio, eager = result.ratio, result.ratio_to_eager
    told = [f"{ratio.value:.2f}", f"{ratio.low:.2f}-{ratio.high:.2f}"] if ratio else ["", ""]
    return [result.model, *cells, *told, f"{eager.value:.2f}" if eager else ""]


def _median(peer: PeerResult) -> str:
    if peer.error:
        return "failed"
    return milliseconds(peer.median_ms) + (" wrong" if peer.wrong else "")


def _row(peer: PeerResult) -> list[str]:
    label = PEERS[peer.peer].label
    if peer.side is None:
        return [label, f"failed: {peer.error}"]
    side = peer.side
    return [
        label,
        f"{milliseconds(side.median_ms)} ms",
        f"{milliseconds(side.p95_ms)} ms" if not peer.slow else f"{len(side.samples_ms)} calls",
        f"{peer.compile_seconds:.1f} s",
        size_text(peer.compile_memory_bytes),
        size_text(peer.size_bytes),
        f"{side.load_seconds:.2f} s",
        size_text(side.memory_bytes),
        size_text(side.private_memory_bytes),
        ""
        if peer.max_difference is None
        else f"{peer.max_difference:.1e}" + (" wrong" if peer.wrong else ""),
    ]


def _words(ratio: Ratio) -> str:
    interval = f"(95 % interval {ratio.low:.2f} to {ratio.high:.2f})"
    if ratio.value >= 1:
        return f"{PEERS[OURS].label} is {ratio.value:.2f} × faster {interval}"
    return f"{PEERS[OURS].label} is {1 / ratio.value:.2f} × slower {interval}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    whole = [row for row in rows if len(row) == len(rows[0])]
    widths = [max(len(row[column]) for row in whole) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 or len(row) < len(widths) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]
