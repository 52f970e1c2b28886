"""The panel of one job: follows the job, measures it at the end, then freezes to static HTML."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from neo_magics.api.states import JobStatus
from neo_magics.errors import NeoMagicsError
from neo_magics.job import Job, LogReader
from neo_magics.widgets.comparison_html import comparison_html
from neo_magics.widgets.comparison_text import comparison_text
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.view import JobView, LogState, job_view

_PATIENCE = 25  # failed looks in a row before the panel gives up


class Surface(Protocol):
    """Where a panel is shown: a notebook with widgets, or text."""

    def show(self, ended: bool, html: str, text: str, /) -> None: ...

    def freeze(self, html: str, text: str, /) -> None: ...


@dataclass
class Measurement:
    """The comparison at a job's end, measured in the background."""

    thread: threading.Thread
    comparison: Any = None
    error: str = ""


class JobPanel:
    """Follows a job on a surface. `refresh` is called by the one timer and never blocks long."""

    def __init__(self, job: Job, surface: Surface, *, measure: Callable[[Job], Any] | None = None) -> None:
        self.job = job
        self.frozen = threading.Event()
        self._surface = surface
        self._measure = measure
        self._measurement: Measurement | None = None
        self._reader = LogReader(job)
        self._log = LogState()
        self._failures = 0

    def refresh(self) -> bool:
        """Look at the job and show it; False once the panel is frozen."""
        try:
            view = self.look()
        except NeoMagicsError as error:
            return self._lost(error)
        self._failures = 0
        if not view.ended:
            self._surface.show(False, live_html(view), job_text(view))
            return True
        return self._ended(view)

    def look(self) -> JobView:
        """The job now; what is new in its log is read."""
        description = self.job.describe()
        self._log = self._log.add(self._reader)
        return job_view(description, self._log)

    def _ended(self, view: JobView) -> bool:
        if view.status == JobStatus.COMPLETED and self._measure and self._measurement is None:
            self._measurement = self._start()
        measurement = self._measurement
        if measurement and measurement.thread.is_alive():
            note = "Measuring before and after, in processes of their own…"
            self._surface.show(True, frozen_html(view, note=note), job_text(view, note=note))
            return True
        self._freeze(view, measurement)
        return False

    def _start(self) -> Measurement:
        def run() -> None:
            try:
                measurement.comparison = self._measure(self.job) if self._measure else None
            except NeoMagicsError as error:
                measurement.error = f"Not measured: {error}"

        measurement = Measurement(threading.Thread(target=run, name="neo-magics-measure", daemon=True))
        measurement.thread.start()
        return measurement

    def _freeze(self, view: JobView, measurement: Measurement | None) -> None:
        html, text = rendered(
            view, measurement.comparison if measurement else None, measurement.error if measurement else ""
        )
        self._surface.freeze(html, text)
        self.frozen.set()

    def _lost(self, error: NeoMagicsError) -> bool:
        self._failures += 1
        if self._failures < _PATIENCE:
            return True
        text = f"{self.job.name}: the panel lost its job. {error}"
        self._surface.freeze(f"<pre>{text}</pre>", text)
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
    log = LogState().add(job.events())
    view = job_view(job.describe(), log)
    return rendered(view, job.comparison if view.status == JobStatus.COMPLETED else None)


class NotebookSurface:
    """Widgets in the output of a cell, replaced by static HTML at the end (same display id)."""

    def __init__(self, stop: Callable[[], None]) -> None:
        import ipywidgets

        self._id = uuid.uuid4().hex
        self._html = ipywidgets.HTML()
        self._button = ipywidgets.Button(
            description="Stop",
            icon="stop",
            tooltip="Stop this job",
            layout={"width": "auto", "align_self": "flex-start"},
        )
        self._button.on_click(lambda _button: self._clicked(stop))
        self._box = ipywidgets.VBox([self._html, self._button])
        self._shown = False

    def _clicked(self, stop: Callable[[], None]) -> None:
        self._button.disabled, self._button.description = True, "Stopping…"
        try:
            stop()
        except NeoMagicsError:
            # The job ended between the look and the click; the panel will say how.
            self._button.description = "Stop"

    def show(self, ended: bool, html: str, text: str, /) -> None:
        if self._html.value != html:
            self._html.value = html
        self._button.layout.display = "none" if ended else ""
        if not self._shown:
            self._display(self._bundle(html, text))

    def freeze(self, html: str, text: str, /) -> None:
        self._display({"text/html": html, "text/plain": text})
        for widget in (self._box, self._html, self._button):
            widget.close()

    def _bundle(self, html: str, text: str) -> dict[str, Any]:
        widget = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
        return {"application/vnd.jupyter.widget-view+json": widget, "text/html": html, "text/plain": text}

    def _display(self, bundle: Mapping[str, Any]) -> None:
        from neo_magics.widgets.output import show_bundle

        show_bundle(dict(bundle), self._id, update=self._shown)
        self._shown = True


class TextSurface:
    """A terminal: the first look and the last are printed."""

    def __init__(self, write: Callable[[str], None] = print) -> None:
        self._write = write
        self._shown = False

    def show(self, _ended: bool, _html: str, text: str, /) -> None:
        if not self._shown:
            self._write(text)
        self._shown = True

    def freeze(self, _html: str, text: str, /) -> None:
        self._write(text)
