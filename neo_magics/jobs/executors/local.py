"""Runners on this machine: one detached process per job, work folders below `home`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from neo_magics.jobs.executors.base import Executor
from neo_magics.jobs.processes import Identity, python_environment, spawn_detached
from neo_magics.jobs.work_folder import WorkFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neo_magics.jobs.record import JobRecord
    from neo_magics.jobs.store import JobStore
    from neo_magics.settings import Settings

_START_SECONDS = 30.0  # a runner that has not reported by then did not start
_STALE_BEATS = 3  # heartbeats that may be missed


class LocalExecutor(Executor):
    """Starts `python -m neo_magics.jobs.runner`; `child_command` replaces the compile child (the work folder
    is appended), for another compiler or for tests of the supervision."""

    def __init__(self, store: JobStore, settings: Settings, *, child_command: Sequence[str] = ()) -> None:
        super().__init__(store, settings)
        self._child_command = tuple(child_command)

    def start(self, record: JobRecord) -> None:
        """Make the work folder and start the detached runner. Raises OSError (disk full, no process left)."""
        work = self.work_folder(record)
        work.create(record.name, record.request)
        command = [sys.executable, "-m", "neo_magics.jobs.runner", record.name, str(work.path)]
        if self._child_command:
            command += ["--", *self._child_command]
        environment = python_environment(self.settings.to_environment())
        spawn_detached(command, environment=environment, folder=work.path, errors=work.log)

    def alive(self, record: JobRecord) -> bool:
        """By pid, create time and heartbeat; each alone can mislead (reused pids, a suspended machine)."""
        since = time.time() - (record.heartbeat or 0.0)
        if not record.runner_pid or record.runner_started is None:
            return since < _START_SECONDS
        if since < _STALE_BEATS * self.settings.heartbeat_seconds:
            return True
        return Identity(record.runner_pid, record.runner_started).alive()

    def clean(self, record: JobRecord) -> list[str]:
        """Kill the orphaned compile child, remove the work folder; the end of the runner's own log."""
        work = self.work_folder(record)
        last_words = work.last_words()
        work.remove()
        return last_words

    def work_folder(self, record: JobRecord) -> WorkFolder:
        """`work/NAME.CREATED` below home: a job created again under its name never meets its old files."""
        created = int(record.created.timestamp() * 1000)
        return WorkFolder(self.settings.folder("work") / f"{record.name}.{created:x}")
