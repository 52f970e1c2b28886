"""How jobs, comparisons and profiles look as the value of a cell.

Registered by the names of their classes, so that none is imported for it: all live below the panels.
"""

from __future__ import annotations

from typing import Any

from neo_magics.errors import NeoMagicsError


def register(shell: Any) -> None:
    """Teach the shell's display formatters these classes."""
    html = shell.display_formatter.formatters["text/html"]
    plain = shell.display_formatter.formatters["text/plain"]
    html.for_type_by_name("neo_magics.job", "Job", _job_html)
    plain.for_type_by_name("neo_magics.job", "Job", _job_plain)
    html.for_type_by_name("neo_magics.runtime.comparison", "Comparison", _comparison_html)
    plain.for_type_by_name("neo_magics.runtime.comparison", "Comparison", _comparison_plain)
    html.for_type_by_name("neo_magics.runtime.profile", "Profile", _profile_html)


def _job_html(job: Any) -> str | None:
    from neo_magics.widgets.job_panel import snapshot

    try:
        return snapshot(job)[0]
    except NeoMagicsError:
        return None  # deleted, or out of reach: the plain text says so


def _job_plain(job: Any, printer: Any, _cycle: bool) -> None:
    from neo_magics.widgets.job_panel import snapshot

    try:
        printer.text(snapshot(job)[1])
    except NeoMagicsError:
        printer.text(repr(job))


def _comparison_html(comparison: Any) -> str:
    from neo_magics.widgets.comparison_html import comparison_card
    from neo_magics.widgets.comparison_view import comparison_view

    return comparison_card(comparison_view(comparison))


def _comparison_plain(comparison: Any, printer: Any, _cycle: bool) -> None:
    from neo_magics.widgets.comparison_text import comparison_text
    from neo_magics.widgets.comparison_view import comparison_view

    printer.text(comparison_text(comparison_view(comparison)))


def _profile_html(profile: Any) -> str:
    from neo_magics.widgets.profile_html import profile_card

    return profile_card(profile)
