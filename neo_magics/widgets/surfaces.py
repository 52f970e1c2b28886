"""Where a panel is shown: widgets in a notebook that are replaced by static HTML at the end, or text."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from neo_magics.widgets.job_box import JobBox
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.style import CLASS, STYLE
from neo_magics.widgets.view import JobView


class Surface(Protocol):
    """Shows a job while it runs, then what stays of it."""

    def show(self, view: JobView, note: str, /) -> None: ...

    def freeze(self, html: str, text: str, /) -> None: ...


class Output:
    """One output of a cell: widgets, replaced by static HTML at the end (same display id)."""

    def __init__(self, *parts: Any) -> None:
        import ipywidgets

        self._style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self._box = ipywidgets.VBox([self._style, *parts])
        self._box.add_class(CLASS)
        self._box.add_class("neo-widgets")
        self._id = uuid.uuid4().hex
        self._shown = False

    def replace(self, *parts: Any) -> None:
        """Put other widgets in the place of those that are there."""
        children, self._box.children = self._box.children, (self._style, *parts)
        for widget in children[1:]:
            widget.close()

    def show(self, html: Callable[[], str], text: Callable[[], str]) -> None:
        """Display the widgets, once; `html` and `text` are for viewers that have none."""
        if not self._shown:
            widget = {"version_major": 2, "version_minor": 0, "model_id": self._box.model_id}
            mime = "application/vnd.jupyter.widget-view+json"
            self._display({mime: widget, "text/html": html(), "text/plain": text()})

    def freeze(self, html: str, text: str) -> None:
        """Replace the widgets."""
        self._display({"text/html": html, "text/plain": text})
        self._box.close()
        self._style.close()

    def _display(self, bundle: Mapping[str, Any]) -> None:
        from neo_magics.widgets.output import show_bundle

        show_bundle(dict(bundle), self._id, update=self._shown)
        self._shown = True


def placed(place: Output | None, *parts: Any) -> Output:
    """`parts` in the output `place`, or in a new one."""
    if place is None:
        return Output(*parts)
    place.replace(*parts)
    return place


class NotebookSurface:
    """One job in the output of a cell."""

    def __init__(self, stop: Callable[[], None], place: Output | None = None) -> None:
        """`place`: an output that is there already, whose widgets give way to the job's."""
        self._job = JobBox(stop)
        self._output = placed(place, self._job.widget)

    def show(self, view: JobView, note: str, /) -> None:
        self._job.show(view, note)
        html = frozen_html if view.ended else live_html
        self._output.show(lambda: html(view), lambda: job_text(view, note=note))

    def freeze(self, html: str, text: str, /) -> None:
        self._output.freeze(html, text)
        self._job.close()


def say(text: str) -> None:
    """Print, and send it before the cell can end: a console hears nothing after that."""
    print(text, flush=True)


class TextSurface:
    """A terminal: the first look and the last are printed."""

    def __init__(self, write: Callable[[str], None] = say) -> None:
        self._write = write
        self._shown = False

    def show(self, view: JobView, note: str, /) -> None:
        if not self._shown:
            self._write(job_text(view, note=note))
        self._shown = True

    def freeze(self, _html: str, text: str, /) -> None:
        self._write(text)
