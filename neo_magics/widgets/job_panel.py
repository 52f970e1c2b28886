"""The panel of one job: follows the job, measures it at the end, then freezes to static HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from neo_magics.api.states import JobStatus
from neo_magics.errors import UsageError
from neo_magics.job import Job
from neo_magics.job_log import LogReader
from neo_magics.widgets.background import NOTE, Background
from neo_magics.widgets.comparison_html import comparison_html
from neo_magics.widgets.comparison_text import comparison_text
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.estimate import Estimate, estimate
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.panel import Panel
from neo_magics.widgets.request_text import request_of, request_texts
from neo_magics.widgets.surfaces import Surface
from neo_magics.widgets.view import JobView, LogState, job_view


class Follower:
    """Reads a job from where it stopped reading."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._reader = LogReader(job)
        self._log = LogState()
        self._texts: dict[str, str] = {}
        self._estimate: Estimate | None = None
        self._seen: JobView | None = None

    def look(self) -> JobView:
        """The job now; what is new in its log is read. A job that was deleted is as it was last seen."""
        try:
            description = self.job.describe()
        except UsageError:
            if self._seen is None:
                raise
            return self._seen.deleted()
        self._log = self._log.add(self._reader)
        view = job_view(description, self._log)
        if not self._texts:
            self._texts = request_texts(request_of(description), self.job.backend.name)
        self._seen = replace(view, texts=self._texts, left=self._left(view, description))
        return self._seen

    def _left(self, view: JobView, description: dict[str, Any]) -> str:
        """How long the job may still take; earlier jobs are asked for once."""
        if view.status != JobStatus.INPROGRESS:
            return ""
        if self._estimate is None:
            self._estimate = estimate(self.job, description)
        return self._estimate.words(view.ran)


class JobPanel(Panel):
    """Follows a job; measures it where it has completed."""

    _view: JobView

    def __init__(self, job: Job, surface: Surface, *, measure: Callable[[Job], Any] | None = None) -> None:
        super().__init__(job.name, surface)
        self.job = job
        self._surface = surface
        self._measure = measure
        self._background: Background | None = None
        self._follower = Follower(job)

    def _look(self) -> None:
        self._view = self._follower.look()

    def _show(self) -> bool:
        if self._view.ended:
            return self._ended(self._view)
        self._surface.show(self._view, "")
        return True

    def _ended(self, view: JobView) -> bool:
        measure = self._measure
        if view.status == JobStatus.COMPLETED and measure and self._background is None:
            self._background = Background(lambda: measure(self.job))
        if self._background and self._background.running:
            self._surface.show(view, NOTE)
            return True
        comparison, error = (
            (self._background.comparison, self._background.error) if self._background else (None, "")
        )
        self._freeze(*rendered(view, comparison, error))
        return False


def rendered(view: JobView, comparison: Any = None, note: str = "") -> tuple[str, str]:
    """HTML and plain text of a job as it is now, with its comparison if there is one."""
    if not view.ended:
        return live_html(view), job_text(view)
    if comparison is None:
        return frozen_html(view, note=note), job_text(view, note=note)
    seen = comparison_view(comparison)
    return frozen_html(view, comparison_html(seen), note), job_text(view, comparison_text(seen), note)


def snapshot(job: Job) -> tuple[str, str]:
    """A job's panel now, as static HTML and plain text."""
    description = job.describe()
    texts = request_texts(request_of(description), job.backend.name)
    view = replace(job_view(description, LogState().add(job.events())), texts=texts)
    return rendered(view, job.comparison if view.status == JobStatus.COMPLETED else None)
