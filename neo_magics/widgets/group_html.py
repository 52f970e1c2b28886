"""The panel of several jobs of one model: what became of each target, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from neo_magics.api.states import JobStatus
from neo_magics.widgets.job_html import WORDS, ended_html, status_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.style import card, seconds
from neo_magics.widgets.view import JobView

_LONGEST = 160  # characters of a reason in the table


def count_words(views: Sequence[JobView]) -> str:
    """`3 jobs: 1 completed, 2 compiling`."""
    words = [WORDS.get(view.status, (view.status,))[0].lower() for view in views]
    counts = {word: words.count(word) for word in words}
    return f"{len(views)} jobs: {', '.join(f'{count} {word}' for word, count in counts.items())}"


def group_head(views: Sequence[JobView], note: str = "") -> str:
    """The line above the jobs."""
    said = f' <span class="neo-muted">{escape(note)}</span>' if note else ""
    return f'<div class="neo-head"><span class="neo-status">{count_words(views)}</span>{said}</div>'


def group_live(views: Sequence[JobView]) -> str:
    """The jobs as they are now, for viewers without widgets."""
    jobs = "".join(f'<div class="neo-job">{status_html(view)}</div>' for view in views)
    return card(group_head(views), jobs, label=count_words(views))


def group_frozen(
    views: Sequence[JobView], verdicts: Mapping[str, str], comparison: str = "", note: str = ""
) -> str:
    """The jobs after their end. `verdicts` by job, `comparison` as HTML, `note` a sentence in its place."""
    rows = "".join(_row(view, verdicts.get(view.name, "")) for view in views)
    names = ("target", "status", "took", "outcome")
    head = "".join(f'<th scope="col" class="neo-text">{name}</th>' for name in names)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    details = "".join(
        f"<details><summary>{escape(view.target)}: {escape(view.name)}</summary>{ended_html(view)}</details>"
        for view in views
    )
    said = f'<div class="neo-muted">{escape(note)}</div>' if note else ""
    parts = (group_head(views), comparison, f'<div class="neo-scroll neo-jobs">{table}</div>', said, details)
    return card(*parts, label=count_words(views))


def _row(view: JobView, verdict: str) -> str:
    word, mark, accent = WORDS.get(view.status, (view.status, "○", ""))
    status = f'<span class="{accent}"><span aria-hidden="true">{mark}</span> {word}</span>'
    body = "".join(f'<td class="neo-text neo-short">{cell}</td>' for cell in (status, seconds(view.elapsed)))
    body += f'<td class="neo-text">{escape(outcome(view, verdict))}</td>'
    return f'<tr><th scope="row" class="neo-text">{escape(view.target)}</th>{body}</tr>'


def outcome(view: JobView, verdict: str) -> str:
    """What to know of a job that ended, in a few words."""
    if view.status == JobStatus.FAILED:
        text, step = view.failure.text, view.failure.next_step
        reason = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
        return f"{reason} Next step: {step}" if step else reason
    return verdict


def group_text(
    views: Sequence[JobView], verdicts: Mapping[str, str], comparison: str = "", note: str = ""
) -> str:
    """The jobs as plain text."""
    jobs = [job_text(view, note=verdicts.get(view.name, "")) for view in views]
    return "\n".join([count_words(views), *jobs, *filter(None, (comparison, note))])
