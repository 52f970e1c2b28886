"""A job panel as HTML: the same markup while it runs and after it froze."""

from __future__ import annotations

from html import escape

from neo_magics.widgets.copying import copyable
from neo_magics.widgets.request_html import request_html
from neo_magics.widgets.style import card, seconds
from neo_magics.widgets.view import DELETED, JobView, StageView, tail

# Status: what a person reads, a mark that does not need colour, and the accent.
WORDS = {
    "STARTING": ("Queued", "○", "neo-muted"),
    "INPROGRESS": ("Compiling", "●", "neo-run"),
    "COMPLETED": ("Completed", "✓", "neo-ok"),
    "FAILED": ("Failed", "✕", "neo-bad"),
    "STOPPING": ("Stopping", "◌", "neo-warn"),
    "STOPPED": ("Stopped", "■", "neo-warn"),
    DELETED: ("Deleted", "–", "neo-muted"),
}
_MARKS = {"done": "✓", "cached": "✓", "started": "●", "failed": "✕", "stopped": "■", "waiting": "○"}
_LIVE_LINES = 100


def live_html(view: JobView) -> str:
    """The panel of a job that runs, with the last lines of its log."""
    parts = (status_html(view), live_log(view), request_html(view.texts))
    return card(*parts, label=f"Compilation job {view.name}")


def status_html(view: JobView) -> str:
    """What changes while a job runs, but for its log."""
    return f"{_head(view)}{_steps(view)}{_progress(view)}"


def frozen_html(view: JobView, comparison: str = "", note: str = "") -> str:
    """The panel of a job that ended. `comparison` is HTML, `note` a plain sentence in its place."""
    return card(ended_html(view, comparison, note), label=f"Compilation job {view.name}: {view.status}")


def ended_html(view: JobView, comparison: str = "", note: str = "") -> str:
    """As `frozen_html`, without a border."""
    ending = _reason(view) if view.status == "FAILED" else comparison
    said = f'<div class="neo-muted">{escape(note)}</div>' if note else ""
    parts = (_head(view), ending, _steps(view), said, _next(view), _whole_log(view), request_html(view.texts))
    return "".join(parts)


def _head(view: JobView) -> str:
    word, mark, accent = WORDS.get(view.status, (view.status, "○", ""))
    if view.status == "COMPLETED" and view.cached:
        word = "Completed from cache"
    return (
        '<div class="neo-head">'
        f'<span class="neo-status {accent}"><span aria-hidden="true">{mark}</span> {word}</span> '
        f'<span class="neo-job-name">{escape(view.name)}</span> '
        f'<span class="neo-muted">{escape(view.framework)} → {escape(view.target)}</span> '
        f'<span class="neo-right neo-muted"><span title="since the job was created">{seconds(view.elapsed)}'
        f"</span>{_left(view)}</span></div>"
    )


def _left(view: JobView) -> str:
    if not view.left or view.ended:
        return ""
    return f'<span title="from earlier jobs of this name and target">, {escape(view.left)}</span>'


def _steps(view: JobView) -> str:
    return f'<ol class="neo-steps">{"".join(_step(stage) for stage in view.log.stages)}</ol>'


def _step(stage: StageView) -> str:
    took = "" if stage.state == "waiting" else seconds(stage.seconds)
    word = {"cached": "cached", "failed": f"failed, {took}", "stopped": f"stopped, {took}"}.get(
        stage.state, took
    )
    title = f' title="{escape(stage.detail, quote=True)}"' if stage.detail else ""
    mark = f'<span aria-hidden="true">{_MARKS.get(stage.state, "○")}</span>'
    return (
        f'<li class="neo-{escape(stage.state)}"{title}>{mark} {escape(stage.name)} <small>{word}</small></li>'
    )


def _progress(view: JobView) -> str:
    progress = view.log.progress
    if view.ended:
        return ""
    if not progress or not progress.total:
        return '<div class="neo-progress"></div>'  # keeps its place: nothing below it jumps
    share = min(1.0, progress.done / progress.total)
    words = f"{progress.done} of {progress.total} {progress.unit}".strip()
    name = escape(progress.stage, quote=True)
    return (
        f'<div class="neo-progress"><div class="neo-bar" role="progressbar" aria-label="{name}" '
        f'aria-valuemin="0" aria-valuemax="{progress.total}" aria-valuenow="{progress.done}">'
        f'<i style="width:{share:.1%}"></i></div>'
        f'<div class="neo-muted">{escape(progress.stage)}: {escape(words)}</div></div>'
    )


def live_log(view: JobView) -> str:
    """The end of the log; a viewer with the style sheet keeps it scrolled to the last line."""
    lines = tail(view.log.lines, _LIVE_LINES)
    waiting = "Waiting for the runner…" if view.status == "STARTING" else "No log lines yet."
    return copyable("\n".join(lines) or waiting, "the last lines of the log", style="neo-lines neo-live")


def _whole_log(view: JobView) -> str:
    if not view.log.lines:
        return ""
    count = len(view.log.lines)
    lines = "\n".join(tail(view.log.lines, count))
    text = copyable(lines, "log", style="neo-lines")
    return f"<details><summary>Log ({count} lines)</summary>{text}</details>"


def _reason(view: JobView) -> str:
    failure = view.failure
    stage = f"Stage {escape(failure.stage)}. " if failure.stage else ""
    kind = f"{escape(failure.kind)}. " if failure.kind else ""
    step = f"<div><b>Next step:</b> {escape(failure.next_step)}</div>" if failure.next_step else ""
    return (
        f'<div class="neo-reason"><div class="neo-what">{escape(failure.text)}</div>'
        f'<div class="neo-muted">{stage}{kind}Whole log: <code>%neo logs {escape(view.name)}</code></div>'
        f"{step}</div>"
    )


def _next(view: JobView) -> str:
    if view.status != "COMPLETED":
        return ""
    name = escape(view.name)
    if not view.runs_here:
        return (
            f'<div class="neo-muted">The file to take to {escape(view.target)}: '
            f'<code>neo_magics.Job.open("{name}").artifact</code>. There: '
            "<code>neo-magics run ARTIFACT --input x.npz</code></div>"
        )
    return (
        '<div class="neo-muted">Run it: <code>job.load()(x)</code>, '
        f'or anywhere: <code>neo_magics.Job.open("{name}").load()</code></div>'
    )
