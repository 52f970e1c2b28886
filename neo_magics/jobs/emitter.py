"""The compile child's voice: events as lines on what was its standard output, apart from all other output."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from neo_magics.api.events import Event, ProgressEvent, StageEvent, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PROGRESS_SECONDS = 0.1


class Emitter:
    """Writes events to the file descriptor `stream` and keeps the seconds of each stage that ended."""

    def __init__(self, stream: int) -> None:
        self._stream = os.fdopen(stream, "wb")
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}
        self.stage = "start"

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageEvent):
            self.stage = event.stage
            if event.state != "started":
                self.seconds[event.stage] = round(event.seconds, 4)
        with self._lock:
            self._stream.write((render(event).replace("\n", " ") + "\n").encode())
            self._stream.flush()

    @contextlib.contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """A stage with its events; one that raises is "failed"."""
        begin = time.perf_counter()
        self(StageEvent(stage, "started"))
        try:
            yield
        except BaseException:
            self(StageEvent(stage, "failed", time.perf_counter() - begin))
            raise
        self(StageEvent(stage, "done", time.perf_counter() - begin))

    def progress(self, stage: str, unit: str = "bytes") -> Callable[[int, int], None]:
        """A callback for `done` of `total`, which speaks ten times a second at most, and at the end."""
        spoken = 0.0

        def report(done: int, total: int) -> None:
            nonlocal spoken
            if done >= total or time.monotonic() - spoken >= _PROGRESS_SECONDS:
                spoken = time.monotonic()
                self(ProgressEvent(stage, done, total, unit))

        return report


def take_standard_output() -> Emitter:
    """Keep standard output for events: from now on what anything prints there goes to standard error."""
    sys.stdout.flush()
    events = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return Emitter(events)
