"""The panel of several jobs of one model: follows all, compares those that run here, then freezes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from neo_magics.api.states import JobStatus
from neo_magics.job import Job
from neo_magics.widgets.background import NOTE, Background
from neo_magics.widgets.comparison_html import comparison_html
from neo_magics.widgets.comparison_text import comparison_text
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.group_html import group_frozen, group_head, group_live, group_text
from neo_magics.widgets.job_box import JobBox
from neo_magics.widgets.job_panel import Follower
from neo_magics.widgets.panel import Panel
from neo_magics.widgets.surfaces import Output, placed, say
from neo_magics.widgets.view import JobView


class GroupSurface(Protocol):
    """Shows several jobs while they run, then what stays of them."""

    def show(self, views: Sequence[JobView], note: str, /) -> None: ...

    def freeze(self, html: str, text: str, /) -> None: ...


class GroupPanel(Panel):
    """Follows jobs of one model; compares those that run here at the end."""

    def __init__(
        self, jobs: Sequence[Job], surface: GroupSurface, *, measure: Callable[[Sequence[Job]], Any] | None
    ) -> None:
        super().__init__(", ".join(job.name for job in jobs), surface)
        self._jobs = jobs
        self._followers = [Follower(job) for job in jobs]
        self._views: list[JobView] = []
        self._surface = surface
        self._measure = measure
        self._background: Background | None = None

    def _look(self) -> None:
        """Those that have ended are not asked again."""
        known: Sequence[JobView | None] = self._views or [None] * len(self._followers)
        self._views = [
            view if view and view.ended else follower.look()
            for view, follower in zip(known, self._followers, strict=True)
        ]

    def _show(self) -> bool:
        if all(view.ended for view in self._views):
            return self._ended()
        self._surface.show(self._views, "")
        return True

    def _ended(self) -> bool:
        done = [
            job
            for job, view in zip(self._jobs, self._views, strict=True)
            if view.status == JobStatus.COMPLETED
        ]
        measure = self._measure
        if done and measure and self._background is None:
            self._background = Background(lambda: measure(done))
        if self._background and self._background.running:
            self._surface.show(self._views, NOTE)
            return True
        self._freeze(*self._result())
        return False

    def _result(self) -> tuple[str, str]:
        """What stays: HTML and text."""
        comparison = self._background.comparison if self._background else None
        note = self._background.error if self._background else ""
        pairs = zip(self._jobs, self._views, strict=True) if self._background else ()
        done = [job for job, view in pairs if view.status == JobStatus.COMPLETED]
        verdicts = {job.name: self._verdict(job) for job in done}
        html, text = "", ""
        if comparison is not None:
            seen = comparison_view(comparison)
            html, text = comparison_html(seen), comparison_text(seen)
        frozen = group_frozen(self._views, verdicts, html, note)
        return frozen, group_text(self._views, verdicts, text, note)

    @staticmethod
    def _verdict(job: Job) -> str:
        from neo_magics.measurement import saved_verdict

        return saved_verdict(job.backend.settings, job.name) or "not measured on this machine"


class NotebookGroup:
    """Several jobs in the output of a cell."""

    def __init__(self, jobs: Sequence[Job], place: Output | None = None) -> None:
        """`place`: an output that is there already, whose widgets give way to the jobs'."""
        import ipywidgets

        self._head = ipywidgets.HTML()
        self._boxes = [JobBox(job.stop, brief=True) for job in jobs]
        for box in self._boxes:
            box.widget.add_class("neo-job")
        self._output = placed(place, self._head, *(box.widget for box in self._boxes))

    def show(self, views: Sequence[JobView], note: str, /) -> None:
        self._head.value = group_head(views, note)
        for box, view in zip(self._boxes, views, strict=True):
            box.show(view, "")
        self._output.show(lambda: group_live(views), lambda: group_text(views, {}))

    def freeze(self, html: str, text: str, /) -> None:
        self._output.freeze(html, text)
        for box in self._boxes:
            box.close()
        self._head.close()


class TextGroup:
    """A terminal: the first look and the last are printed."""

    def __init__(self, write: Callable[[str], None] = say) -> None:
        self._write = write
        self._shown = False

    def show(self, views: Sequence[JobView], _note: str, /) -> None:
        if not self._shown:
            self._write(group_text(views, {}))
        self._shown = True

    def freeze(self, _html: str, text: str, /) -> None:
        self._write(text)
