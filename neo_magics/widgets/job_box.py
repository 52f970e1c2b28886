"""The widgets of one job while it runs: its state, Stop that asks first, a log that pauses, its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neo_magics.errors import NeoMagicsError
from neo_magics.widgets.busy_kernel import heard_while_busy
from neo_magics.widgets.job_html import ended_html, live_log, status_html
from neo_magics.widgets.request_html import request_html
from neo_magics.widgets.view import JobView


class JobBox:
    """`widget` shows one job. Each part is a widget of its own: what did not change is not drawn anew.

    A `brief` box, one of several, has neither log nor request.
    """

    def __init__(self, stop: Callable[[], None], *, brief: bool = False) -> None:
        import ipywidgets

        self._stop = stop
        self._status, self._log, self._request = (ipywidgets.HTML() for _ in range(3))
        self._ask = _button("Stop…", "stop", "Stop this job")
        self._sure = _button("Stop it", "", "Stop the job; what it has done so far is lost", "danger")
        self._keep = _button("Keep it running", "", "Do not stop the job")
        self._question = ipywidgets.Label("Stop this job?")
        self._pause = ipywidgets.ToggleButton(
            description="Pause log", icon="pause", tooltip="Keep the log as it is, to read and copy it"
        )
        self._pause.layout.width = "auto"
        if brief:
            for part in (self._pause, self._log, self._request):
                part.layout.display = "none"
        buttons = (self._ask, self._question, self._sure, self._keep, self._pause)
        self._controls = ipywidgets.HBox(buttons, layout={"flex_flow": "row wrap", "align_items": "center"})
        self.widget = ipywidgets.VBox([self._status, self._controls, self._log, self._request])
        self._ask.on_click(lambda _button: self._asked(True))
        self._keep.on_click(lambda _button: self._asked(False))
        self._sure.on_click(lambda _button: self._stopped())
        self._pause.observe(self._toggled, "value")
        for button in (self._ask, self._sure, self._keep, self._pause):
            heard_while_busy(button)
        self._view: JobView | None = None
        self._confirm(False)

    def show(self, view: JobView, note: str) -> None:
        """Draw what changed; an ended job without its controls."""
        self._view = view
        _set(self._status, ended_html(view, note=note) if view.ended else status_html(view))
        if view.ended:
            for part in (self._controls, self._log, self._request):
                part.layout.display = "none"
            return
        if view.status == "STOPPING":
            self._stopping()
        _set(self._request, request_html(view.texts))
        self._follow()

    def close(self) -> None:
        """Take the widgets away."""
        for widget in (*self._controls.children, *self.widget.children, self.widget):
            widget.close()

    def _follow(self) -> None:
        if self._view and not self._pause.value:
            _set(self._log, live_log(self._view))

    def _toggled(self, change: Any) -> None:
        self._pause.description = "Follow log" if change["new"] else "Pause log"
        self._pause.icon = "play" if change["new"] else "pause"
        self._follow()

    def _asked(self, asking: bool) -> None:
        """Ask, or take the question back; who works by keyboard stays at this place."""
        self._confirm(asking)
        (self._keep if asking else self._ask).focus()

    def _confirm(self, asking: bool) -> None:
        for widget, shown in ((self._ask, not asking), (self._pause, not asking)):
            widget.layout.visibility = "visible" if shown else "hidden"
        self._ask.layout.display = "none" if asking else ""
        for widget in (self._question, self._sure, self._keep):
            widget.layout.display = "" if asking else "none"

    def _stopping(self) -> None:
        self._confirm(False)
        self._ask.disabled, self._ask.description = True, "Stopping…"

    def _stopped(self) -> None:
        self._stopping()
        try:
            self._stop()
        except NeoMagicsError:
            # The job ended between the look and the click; the panel will say how.
            self._ask.description = "Stop…"


def _button(description: str, icon: str, tooltip: str, style: str = "") -> Any:
    import ipywidgets

    layout = {"width": "auto"}
    return ipywidgets.Button(
        description=description, icon=icon, tooltip=tooltip, button_style=style, layout=layout
    )


def _set(widget: Any, html: str) -> None:
    """Only what differs travels to the page."""
    if widget.value != html:
        widget.value = html
