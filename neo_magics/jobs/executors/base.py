"""The queue and its care, the same for every place where runners can run.

The base class claims queued jobs up to the limit, ends jobs that waited too long, and finds jobs whose
runner died. A backend implements `start`, `alive` and `clean`, and writes no status.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from neo_magics.api.states import JobStatus
from neo_magics.errors import failure_reason
from neo_magics.jobs.endings import died, waited_too_long

if TYPE_CHECKING:
    from neo_magics.jobs.record import JobRecord
    from neo_magics.jobs.store import JobStore
    from neo_magics.settings import Settings

_LIVE = (JobStatus.STARTING, JobStatus.INPROGRESS, JobStatus.STOPPING)
_PUMP_SECONDS = 0.5  # Describe is called often; caring for the queue more often than this gains nothing


class Executor(ABC):
    """Starts queued jobs and ends those whose runner is gone. Safe in several threads and processes."""

    def __init__(self, store: JobStore, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self._busy = threading.Lock()
        self._next_pump = 0.0

    def pump(self, *, force: bool = False) -> None:
        """Reap, expire, start. Without `force` a call soon after another does nothing."""
        if not force and time.monotonic() < self._next_pump:
            return
        if not self._busy.acquire(blocking=force):
            return
        try:
            self._reap()
            self._expire()
            self._start_queued()
            self._next_pump = time.monotonic() + _PUMP_SECONDS
        finally:
            self._busy.release()

    def stop(self, record: JobRecord) -> None:  # noqa: ARG002 - a backend may want to hurry its runner
        """Called after the job became STOPPING: a live runner sees that itself; a dead one is buried now."""
        self.pump(force=True)

    @abstractmethod
    def start(self, record: JobRecord) -> None:
        """Start a runner for the claimed job and return at once. Raises OSError where that is impossible."""

    @abstractmethod
    def alive(self, record: JobRecord) -> bool:
        """Whether the claimed job's runner may still be at work."""

    @abstractmethod
    def clean(self, record: JobRecord) -> list[str]:
        """Kill what a dead runner left running, remove its files; the last lines it wrote."""

    def _reap(self) -> None:
        for record in self.store.running():
            if not self.alive(record):
                self._bury(record)

    def _bury(self, record: JobRecord) -> None:
        last_words = self.clean(record)
        # Its user asked for the end: the runner's death is how it came.
        if not self.store.change(record.name, JobStatus.STOPPED, expect=(JobStatus.STOPPING,)):
            self._fail(record, died(record, last_words), last_words)

    def _expire(self) -> None:
        for record in self.store.queued():
            limit = record.request.get("StoppingCondition", {}).get("MaxPendingTimeInSeconds")
            if limit is not None and time.time() - record.created.timestamp() > limit:
                self._fail(record, waited_too_long(limit), [])

    def _start_queued(self) -> None:
        while record := self.store.claim_next(self.settings.max_running_jobs):
            try:
                self.start(record)
            except OSError as error:
                self.clean(record)
                self._fail(record, error, [])

    def _fail(self, record: JobRecord, error: BaseException, lines: list[str]) -> None:
        ended = self.store.change(
            record.name, JobStatus.FAILED, expect=_LIVE, failure_reason=failure_reason(error)
        )
        if ended:
            now = int(time.time() * 1000)
            self.store.append_log(record.name, [(now, line) for line in (*lines, str(error))])
