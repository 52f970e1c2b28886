"""A job panel as plain text, for terminals and viewers that show nothing else."""

from __future__ import annotations

from neo_magics.widgets.job_html import WORDS
from neo_magics.widgets.style import seconds
from neo_magics.widgets.view import JobView


def job_text(view: JobView, comparison: str = "", note: str = "") -> str:
    """The job in a few lines: status, stages, then the comparison or the reason of its failure."""
    lines = [
        f"{view.name}: {WORDS.get(view.status, (view.status,))[0].lower()}, {view.framework} → {view.target}"
    ]
    if view.status == "FAILED":
        lines += _failure(view)
    stages = [s for s in view.log.stages if s.state != "waiting"]
    if stages:
        lines.append(
            ", ".join(f"{s.name} {'cached' if s.state == 'cached' else seconds(s.seconds)}" for s in stages)
        )
    lines += [text for text in (comparison, note) if text]
    if not view.ended:
        lines += [view.left[0].upper() + view.left[1:] + "."] if view.left else []
        lines.append(f"It runs on its own: job.wait(), %neo show {view.name}, %neo logs {view.name}")
    return "\n".join(lines)


def _failure(view: JobView) -> list[str]:
    failure = view.failure
    where = f" (stage {failure.stage})" if failure.stage else ""
    step = [f"Next step: {failure.next_step}"] if failure.next_step else []
    return [f"{failure.text}{where}", *step, f"Log: %neo logs {view.name}"]
