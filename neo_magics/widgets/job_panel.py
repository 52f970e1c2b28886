"""The panel of one job: follows the job, measures it at the end, then freezes to static HTML."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

from neo_magics.api.states import JobStatus
from neo_magics.errors import NeoMagicsError
from neo_magics.job import Job, LogReader
from neo_magics.widgets.background import NOTE, Background
from neo_magics.widgets.comparison_html import comparison_html
from neo_magics.widgets.comparison_text import comparison_text
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.estimate import Estimate, estimate
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.request_text import request_of, request_texts
from neo_magics.widgets.surfaces import Surface
from neo_magics.widgets.view import JobView, LogState, job_view

PATIENCE = 25  # failed looks in a row before the panel gives up


class Follower:
    """Reads a job from where it stopped reading."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._reader = LogReader(job)
        self._log = LogState()
        self._texts: dict[str, str] = {}
        self._estimate: Estimate | None = None

    def look(self) -> JobView:
        """The job now; what is new in its log is read."""
        description = self.job.describe()
        self._log = self._log.add(self._reader)
        view = job_view(description, self._log)
        if not self._texts:
            self._texts = request_texts(request_of(description), self.job.backend.name)
        return replace(view, texts=self._texts, left=self._left(view, description))

    def _left(self, view: JobView, description: dict[str, Any]) -> str:
        """How long the job may still take; earlier jobs are asked for once."""
        if view.status != JobStatus.INPROGRESS:
            return ""
        if self._estimate is None:
            self._estimate = estimate(self.job, description)
        return self._estimate.words(view.ran)


class JobPanel:
    """Follows a job on a surface. `refresh` is called by the one timer and never blocks long."""

    def __init__(self, job: Job, surface: Surface, *, measure: Callable[[Job], Any] | None = None) -> None:
        self.job = job
        self.frozen = threading.Event()
        self._surface = surface
        self._measure = measure
        self._background: Background | None = None
        self._follower = Follower(job)
        self._failures = 0

    def refresh(self) -> bool:
        """Look at the job and show it; False once the panel is frozen."""
        try:
            view = self._follower.look()
        except NeoMagicsError as error:
            return self._lost(error)
        self._failures = 0
        if not view.ended:
            self._surface.show(view, "")
            return True
        return self._ended(view)

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
        self._surface.freeze(*rendered(view, comparison, error))
        self.frozen.set()
        return False

    def _lost(self, error: NeoMagicsError) -> bool:
        self._failures += 1
        if self._failures < PATIENCE:
            return True
        text = f"{self.job.name}: the panel lost its job. {error}"
        self._surface.freeze(f"<pre>{escape(text)}</pre>", text)
        self.frozen.set()
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
