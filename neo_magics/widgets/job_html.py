"""A job panel as HTML: the same markup while it runs and after it froze."""

from __future__ import annotations

from html import escape

from neo_magics.widgets.style import card, seconds
from neo_magics.widgets.view import JobView, StageView, tail

# Status: what a person reads, a mark that does not need colour, and the accent.
WORDS = {
    "STARTING": ("Queued", "○", "neo-muted"),
    "INPROGRESS": ("Compiling", "●", "neo-run"),
    "COMPLETED": ("Completed", "✓", "neo-ok"),
    "FAILED": ("Failed", "✕", "neo-bad"),
    "STOPPING": ("Stopping", "◌", "neo-warn"),
    "STOPPED": ("Stopped", "■", "neo-warn"),
}
_MARKS = {"done": "✓", "cached": "✓", "started": "●", "failed": "✕", "stopped": "■", "waiting": "○"}
_LIVE_LINES = 6


def live_html(view: JobView) -> str:
    """The panel of a job that runs, with the last lines of its log."""
    return card(
        _head(view), _steps(view), _progress(view), _live_log(view), label=f"Compilation job {view.name}"
    )


def frozen_html(view: JobView, comparison: str = "", note: str = "") -> str:
    """The panel of a job that ended. `comparison` is HTML, `note` a plain sentence in its place."""
    ending = _reason(view) if view.status == "FAILED" else comparison
    said = f'<div class="neo-muted">{escape(note)}</div>' if note else ""
    parts = (_head(view), ending, _steps(view), said, _next(view), _whole_log(view))
    return card(*parts, label=f"Compilation job {view.name}: {view.status}")


def _head(view: JobView) -> str:
    word, mark, accent = WORDS.get(view.status, (view.status, "○", ""))
    if view.status == "COMPLETED" and view.cached:
        word = "Completed from cache"
    return (
        '<div class="neo-head">'
        f'<span class="neo-status {accent}"><span aria-hidden="true">{mark}</span> {word}</span> '
        f'<span class="neo-name">{escape(view.name)}</span> '
        f'<span class="neo-muted">{escape(view.framework)} → {escape(view.target)}</span> '
        f'<span class="neo-right neo-muted" title="since the job was created">{seconds(view.elapsed)}</span>'
        "</div>"
    )


def _steps(view: JobView) -> str:
    return f'<ol class="neo-steps">{"".join(_step(stage) for stage in view.log.stages)}</ol>'


def _step(stage: StageView) -> str:
    took = "" if stage.state == "waiting" else seconds(stage.seconds)
    word = {"cached": "cached", "failed": f"failed, {took}", "stopped": f"stopped, {took}"}.get(
        stage.state, took
    )
    state = "failed" if stage.state == "stopped" else stage.state
    title = f' title="{escape(stage.detail, quote=True)}"' if stage.detail else ""
    mark = f'<span aria-hidden="true">{_MARKS.get(stage.state, "○")}</span>'
    return f'<li class="neo-{escape(state)}"{title}>{mark} {escape(stage.name)} <small>{word}</small></li>'


def _progress(view: JobView) -> str:
    progress = view.log.progress
    if not progress or not progress.total or view.ended:
        return ""
    share = min(1.0, progress.done / progress.total)
    words = f"{progress.done} of {progress.total} {progress.unit}".strip()
    return (
        f'<div class="neo-bar" role="progressbar" aria-label="{escape(progress.stage, quote=True)}" '
        f'aria-valuemin="0" aria-valuemax="{progress.total}" aria-valuenow="{progress.done}">'
        f'<i style="width:{share:.1%}"></i></div>'
        f'<div class="neo-muted">{escape(progress.stage)}: {escape(words)}</div>'
    )


def _live_log(view: JobView) -> str:
    lines = tail(view.log.lines, _LIVE_LINES)
    waiting = "Waiting for the runner…" if view.status == "STARTING" else "No log lines yet."
    return f'<pre aria-label="last lines of the log">{escape(chr(10).join(lines) or waiting)}</pre>'


def _whole_log(view: JobView) -> str:
    if not view.log.lines:
        return ""
    count = len(view.log.lines)
    lines = escape("\n".join(tail(view.log.lines, count)))
    return f"<details><summary>Log ({count} lines)</summary><pre>{lines}</pre></details>"


def _reason(view: JobView) -> str:
    stage = f"Stage: {escape(view.failed_stage)}. " if view.failed_stage else ""
    return (
        f'<div class="neo-reason">{escape(view.reason or "No reason was given.")}'
        f'<div class="neo-muted">{stage}Whole log: <code>%neo logs {escape(view.name)}</code></div></div>'
    )


def _next(view: JobView) -> str:
    if view.status != "COMPLETED":
        return ""
    return (
        '<div class="neo-muted">Run it: <code>job.load()(x)</code>, '
        f'or anywhere: <code>neo_magics.Job.open("{escape(view.name)}").load()</code></div>'
    )
