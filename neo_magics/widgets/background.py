"""A measurement in a thread of its own, so that panels go on while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from neo_magics.errors import NeoMagicsError

NOTE = "Measuring before and after, in processes of their own…"


class Background:
    """Runs `measure` once; then `comparison` holds what it found, or `error` a sentence on why not."""

    def __init__(self, measure: Callable[[], Any]) -> None:
        self.comparison: Any = None
        self.error = ""
        self._measure = measure
        self._thread = threading.Thread(target=self._run, name="neo-magics-measure", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            self.comparison = self._measure()
        except NeoMagicsError as error:
            self.error = f"Not measured: {error}"
