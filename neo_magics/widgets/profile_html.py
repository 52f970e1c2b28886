"""A profile as HTML: its sums, a bar for each of the slowest kernels, and a table with all figures."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from neo_magics.runtime.profile_text import COLUMNS, cells, headline, notes, origin, slowest
from neo_magics.widgets.style import card, milliseconds

if TYPE_CHECKING:
    from neo_magics.runtime.profile import KernelCall, Profile

BARS = 12
_BAR = 14  # pixels
_WORDS = 3  # columns at the end that hold words


def profile_card(profile: Profile) -> str:
    """The profile as a panel."""
    return card(profile_html(profile), label=f"Profile of {profile.name}")


def profile_html(profile: Profile) -> str:
    """The profile without a border, to be put into a panel."""
    shown, rest = slowest(profile)
    said = "".join(f'<div class="neo-muted">{escape(note)}</div>' for note in notes(profile))
    more = ""
    if rest:
        more = (
            f"<details><summary>{len(rest)} more kernel calls, "
            f"{sum(profile.share(call) for call in rest):.1%} together</summary>"
            f'<div class="neo-scroll">{_table(profile, rest)}</div></details>'
        )
    return (
        f'<div class="neo-head"><b>{escape(headline(profile))}</b></div>'
        f"{bars_html(profile, slowest(profile, BARS)[0])}"
        f'<div class="neo-scroll">{_table(profile, shown)}</div>{more}{said}'
    )


def bars_html(profile: Profile, calls: list[KernelCall]) -> str:
    """A bar for each call; its dark part is the time that the roofline allows."""
    longest = max((call.seconds for call in calls), default=0.0) or 1.0
    rows = "".join(_bar(profile, call, longest) for call in calls)
    key = '<div class="neo-muted">Each bar is a kernel call; its full part is what the roofline allows.</div>'
    return f"{key}{rows}" if calls else ""


def _bar(profile: Profile, call: KernelCall, longest: float) -> str:
    roofline = profile.roofline(call)
    width = 100 * call.seconds / longest
    least = width * min(1.0, roofline or 0.0)
    of_roof = "" if roofline is None else f", {roofline:.0%} of the roofline"
    words = f"{milliseconds(1000 * call.seconds)} ms, {profile.share(call):.1%}{of_roof}"
    label = f"{origin(call)}: {words}"
    detail = escape("\n".join(detail_lines(profile, call)))
    return (
        f'<div class="neo-strip"><div><b>{escape(origin(call))}</b> '
        f'<span class="neo-muted">{words}</span></div>'
        f'<svg width="100%" height="{_BAR}" role="img" aria-label="{escape(label, quote=True)}" '
        f'style="color:var(--neo-run)"><title>{detail}</title><g fill="currentColor">'
        f'<rect width="{width:.2f}%" height="{_BAR}" fill-opacity="0.35"/>'
        f'<rect width="{least:.2f}%" height="{_BAR}"/></g></svg></div>'
    )


def detail_lines(profile: Profile, call: KernelCall) -> list[str]:
    """What hovering over a bar says: the kernel, what it computes, and what it achieves of what limit."""
    achieved = [
        f"{figure:.3g} {unit}"
        for figure, unit in ((call.gflops, "GFLOPS"), (call.gbytes, "GB/s"))
        if figure is not None
    ]
    bound = call.bound(profile.peaks)
    return [
        f"{call.kernel} (call {call.index + 1} of {len(profile.calls)})",
        f"operators: {', '.join(call.operators)}",
        *([f"kernel: {call.rule}"] if call.rule else []),
        *([", ".join(achieved) + (f", bound by {bound}" if bound else "")] if achieved else []),
    ]


def _table(profile: Profile, calls: list[KernelCall]) -> str:
    names = [f'<th scope="col"{_kind(place)}>{name}</th>' for place, name in enumerate(COLUMNS)]
    rows = "".join(_row(profile, call) for call in calls)
    return f"<table><thead><tr>{''.join(names)}</tr></thead><tbody>{rows}</tbody></table>"


def _row(profile: Profile, call: KernelCall) -> str:
    texts = [f"<td{_kind(place)}>{escape(cell)}</td>" for place, cell in enumerate(cells(profile, call))]
    return f'<tr title="{escape(call.kernel, quote=True)}">{"".join(texts)}</tr>'


def _kind(place: int) -> str:
    return ' class="neo-text"' if place >= len(COLUMNS) - _WORDS else ""
