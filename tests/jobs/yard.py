"""Where runner tests make their jobs: a small program stands in the compiler's place, all else is real."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import psutil

from neo_magics.api.states import TERMINAL, JobStatus
from neo_magics.jobs.executors.local import LocalExecutor
from neo_magics.jobs.record import JobRecord
from neo_magics.jobs.store import JobStore
from neo_magics.settings import Settings

T = TypeVar("T")

# What every stand-in starts with: it waits for "go" as the compile child does, and can speak and end.
PRELUDE = """
import json, os, signal, sys, time
work = sys.argv[1]
assert sys.stdin.readline() == "go\\n"
def say(stage, state="started"):
    body = {"kind": "stage", "stage": stage, "state": state, "seconds": 0.0, "detail": ""}
    print(f"{stage}: {state}\\tneo:{json.dumps(body)}", flush=True)
def done():
    result = {"artifacts": "s3://bucket/m.tar.gz", "digest": "ab", "derived_input_config": "{}"}
    open(work + "/result.json", "w").write(json.dumps(result))
    sys.exit(0)
if "/next." in work:  # a runner starts the job after its own with the same program: that one ends well
    done()
"""
ENDS_WELL = "say('build'); done()"
SLEEPS = "say('build'); time.sleep(60)"


class Yard:
    """Creates jobs, watches them, and tidies up."""

    def __init__(self, settings: Settings, store: JobStore, folder: Path) -> None:
        self.settings = settings
        self.store = store
        self.folder = folder

    def with_settings(self, **changes: Any) -> Yard:
        """The same yard under other settings."""
        return Yard(replace(self.settings, **changes), self.store, self.folder)

    def executor(self, program: str = ENDS_WELL) -> LocalExecutor:
        """An executor whose compile child is `program`."""
        script = self.folder / f"child-{abs(hash(program)):x}.py"
        script.write_text(PRELUDE + program)
        return LocalExecutor(self.store, self.settings, child_command=(sys.executable, str(script)))

    def insert(self, name: str, *, seconds: int = 60, **condition: int) -> None:
        """A queued job."""
        request = {
            "CompilationJobName": name,
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds, **condition},
        }
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:compilation-job/{name}"
        self.store.insert(JobRecord(name=name, arn=arn, request=request))

    def start(self, name: str, program: str = ENDS_WELL, *, seconds: int = 60) -> LocalExecutor:
        """Create a job that runs `program`; the executor that started it."""
        self.insert(name, seconds=seconds)
        executor = self.executor(program)
        executor.pump(force=True)
        return executor

    def end(self, name: str, *, within: float = 60) -> JobRecord:
        """The job once it has ended; the queue is cared for meanwhile, as Describe does."""
        executor = self.executor()

        def ended() -> JobRecord | None:
            executor.pump()
            record = self.store.get(name)
            return record if record.status in TERMINAL else None

        return until(ended, within=within)

    def reached(self, name: str, stage: str) -> None:
        """Wait until the job's log says that `stage` began."""
        until(lambda: any(f"{stage}: started" in line for line in self.log(name)))

    def running(self, name: str) -> JobRecord:
        """The job once its runner has taken it."""

        def taken() -> JobRecord | None:
            record = self.store.get(name)
            return record if record.status is JobStatus.INPROGRESS else None

        return until(taken)

    def child(self, name: str) -> psutil.Process:
        """The compile child of a running job."""
        runner = psutil.Process(self.running(name).runner_pid)
        return until(lambda: next(iter(runner.children()), None))

    def log(self, name: str) -> list[str]:
        """The job's log messages."""
        with self.store.database.read() as connection:
            statement = "SELECT message FROM log_events WHERE stream = ? ORDER BY id"
            return [row[0] for row in connection.exec_driver_sql(statement, (name,))]

    def leftovers(self) -> list[Path]:
        """Files of jobs that ended."""
        work = self.settings.home / "work"
        return sorted(work.iterdir()) if work.exists() else []

    def close(self) -> None:
        """Kill the runners that still live; their children die with them."""
        for record in self.store.running():
            if record.runner_pid:
                kill(record.runner_pid)


def until(condition: Callable[[], T | None], *, within: float = 60) -> T:
    """The first true value of `condition`."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {within} s"
        time.sleep(0.02)


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """A signal from outside."""
    os.kill(pid, number)


def gone(process: psutil.Process) -> bool:
    """Whether it runs no more (a zombie that nobody asked for does not count)."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
