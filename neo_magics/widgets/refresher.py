"""One timer for all live panels: a thread that runs while there is a panel to refresh, and ends with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

INTERVAL_SECONDS = 0.4


class Live(Protocol):
    """Something that shows a running job."""

    def refresh(self) -> bool:
        """Show the present state; False once there is nothing more to show."""


class Refresher:
    """Refreshes panels until each has said that it is done.

    The thread does not carry the context of the cell that opened a panel: a panel's updates find their
    place by display id, and nbclient drops what belongs to a cell that has ended.
    """

    def __init__(self, interval: Callable[[], float] = lambda: INTERVAL_SECONDS) -> None:
        self._interval = interval
        self._lock = threading.Lock()
        self._panels: list[Live] = []
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def add(self, panel: Live) -> None:
        """Refresh `panel` from now on."""
        with self._lock:
            self._panels.append(panel)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="neo-magics-panels", daemon=True)
                self._thread.start()
        self._wake.set()

    def add_once(self, panel: Live) -> None:
        """As `add`, unless `panel` is being refreshed already."""
        if not any(known is panel for known in list(self._panels)):
            self.add(panel)

    @property
    def running(self) -> bool:
        """Whether the timer's thread runs."""
        return self._thread is not None

    def _run(self) -> None:
        while True:
            for panel in list(self._panels):
                if not self._refresh(panel):
                    with self._lock:
                        self._panels.remove(panel)
            with self._lock:
                if not self._panels:
                    self._thread = None
                    return
            self._wake.clear()
            self._wake.wait(self._interval())

    @staticmethod
    def _refresh(panel: Live) -> bool:
        try:
            return panel.refresh()
        except Exception:
            # One broken panel must not stop the others.
            logging.getLogger(__name__).exception("A panel stopped following its job.")
            return False
