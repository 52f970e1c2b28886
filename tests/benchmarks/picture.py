"""The benchmark as an SVG: a bar for each peer, in each model as a share of the slowest one shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from neo_magics.runtime.tables import milliseconds
from tests.benchmarks.peers import OURS, PEERS
from tests.benchmarks.results import ModelResult, PeerResult

_LEFT, _WIDTH, _RIGHT = 130, 520, 90
_BAR, _GAP, _TOP = 11, 12, 46
_COLOURS = {
    "eager": "#b8bec8",
    "inductor": "#8d99ae",
    "onnx_runtime": "#7fb3d5",
    "openvino": "#a78bca",
    "tvm_default": "#d9c7a3",
    OURS: "#e4572e",
}


def svg(results: Sequence[ModelResult]) -> str:
    """A group of bars for each model, shorter is faster; peers too slow for the picture are left out."""
    body, y = [_legend(results)], _TOP
    for result in results:
        part, y = _group(result, y)
        body.append(part)
    width = _LEFT + _WIDTH + _RIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y}" viewBox="0 0 {width} {y}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(body)}</svg>\n"
    )


def _legend(results: Sequence[ModelResult]) -> str:
    shown = [key for key in PEERS if any(each.peer == key for r in results for each in _shown(r))]
    step = (_LEFT + _WIDTH + _RIGHT - 20) / max(1, len(shown))
    return (
        "".join(
            f'<rect x="{10 + index * step:.0f}" y="12" width="10" height="10" fill="{_COLOURS[key]}"/>'
            f'<text x="{24 + index * step:.0f}" y="21">{escape(PEERS[key].label)}</text>'
            for index, key in enumerate(shown)
        )
        + f'<text x="{_LEFT}" y="38" fill="#666">latency, shorter is faster</text>'
    )


def _group(result: ModelResult, y: int) -> tuple[str, int]:
    shown = _shown(result)
    longest = max((each.median_ms for each in shown), default=1.0)
    middle = y + len(shown) * _BAR / 2 + 4
    parts = [f'<text x="{_LEFT - 8}" y="{middle:.0f}" text-anchor="end">{escape(result.model)}</text>']
    for each in shown:
        parts.append(_bar(each, longest, y, result))
        y += _BAR
    return "".join(parts), y + _GAP


def _bar(peer: PeerResult, longest: float, y: int, result: ModelResult) -> str:
    length = _WIDTH * peer.median_ms / longest
    text = f"{milliseconds(peer.median_ms)} ms"
    if peer.peer == OURS and (ratio := result.ratio):
        text += f"  ({ratio.value:.2f} ×)"
    return (
        f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" fill="{_COLOURS[peer.peer]}"/>'
        f'<text x="{_LEFT + length + 4:.1f}" y="{y + _BAR - 3}" font-size="9">{text}</text>'
    )


def _shown(result: ModelResult) -> list[PeerResult]:
    return [each for each in result.peers if each.side and not each.slow]
