"""A profile as plain text: its sums, the kernels that take longest, and how it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neo_magics.artifact.kernels import Source
from neo_magics.runtime.tables import milliseconds, threads_text

if TYPE_CHECKING:
    from neo_magics.runtime.profile import KernelCall, Profile

SHOWN = 20  # kernel calls
COLUMNS = ("ms", "share", "GFLOPS", "GB/s", "roofline", "bound", "rule", "from")


def profile_text(profile: Profile) -> str:
    """The slowest kernel calls first; the rest in one line."""
    first, rest = slowest(profile)
    table = [COLUMNS, *(cells(profile, call) for call in first)]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    lines = [headline(profile), *(_line(row, widths) for row in table)]
    if rest:
        share = sum(profile.share(call) for call in rest)
        lines.append(f"… and {len(rest)} more kernel calls, {share:.1%} together: rows() has all.")
    return "\n".join([*lines, *notes(profile)])


def slowest(profile: Profile, count: int = SHOWN) -> tuple[list[KernelCall], list[KernelCall]]:
    """The `count` calls that take longest, and the others."""
    ordered = sorted(profile.calls, key=lambda call: -call.seconds)
    return ordered[:count], ordered[count:]


def headline(profile: Profile) -> str:
    """The sums in one sentence."""
    return (
        f"{profile.name}: {len(profile.calls)} kernel calls take {_ms(profile.kernel_seconds)} of "
        f"{_ms(profile.plain_seconds)} a call; {_ms(profile.other_seconds)} are for all else."
    )


def cells(profile: Profile, call: KernelCall) -> tuple[str, ...]:
    """One call's figures as text, in the order of COLUMNS."""
    roofline = profile.roofline(call)
    return (
        milliseconds(1000 * call.seconds) if call.seconds else "0",
        f"{profile.share(call):.1%}",
        _number(call.gflops),
        _number(call.gbytes),
        "" if roofline is None else f"{roofline:.0%}",
        call.bound(profile.peaks),
        call.rule,
        origin(call),
    )


def origin(call: KernelCall) -> str:
    """Where the call is from: "layer1.0: conv1, bn1, relu", or its operators where no layer has a name."""
    if not any(source.layer for source in call.sources):
        return ", ".join(call.operators)
    return places(call.sources)


def places(sources: Sequence[Source]) -> str:
    """The sources' places, what their paths have in common said once."""
    names = list(dict.fromkeys(source.place for source in sources))
    mark = "/" if all(name.startswith("/") for name in names) else "."
    parts = [name.split(mark) for name in names]
    common = 0
    while all(len(part) > common + 1 for part in parts) and len({part[common] for part in parts}) == 1:
        common += 1
    if len(names) == 1 or not common:
        return ", ".join(names)
    return f"{mark.join(parts[0][:common])}: {', '.join(mark.join(part[common:]) for part in parts)}"


def notes(profile: Profile) -> list[str]:
    """The conditions, and what the figures mean."""
    peaks = profile.peaks
    return [
        f"Roofline: {peaks.flops * 1e-9:.0f} GFLOPS and {peaks.bytes * 1e-9:.0f} GB/s from memory with "
        f"{threads_text(profile.threads)} ({peaks.flops_one * 1e-9:.0f} and {peaks.bytes_one * 1e-9:.0f} "
        "with one), the best measured on this machine. Data that is still in a cache may pass 100 %.",
        f"Medians of {profile.runs} watched calls in a process of its own, {threads_text(profile.threads)}, "
        f"{profile.cpu}, {profile.inputs} inputs. Watching adds {profile.floor_seconds * 1e6:.1f} µs "
        f"to a kernel, which is taken off; a watched call takes {_ms(profile.watched_seconds)}.",
    ]


def _ms(seconds: float) -> str:
    return f"{milliseconds(1000 * seconds)} ms" if seconds else "0 ms"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    figures = [cell.rjust(width) for cell, width in zip(row[:5], widths[:5], strict=True)]
    words = [cell.ljust(width) for cell, width in zip(row[5:], widths[5:], strict=True)]
    return "  ".join([*figures, *words]).rstrip()
