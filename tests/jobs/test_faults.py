"""Violence from outside. After each: state right, reason readable, nothing left, and the next job works."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from neo_magics.api.states import JobStatus
from neo_magics.jobs.record import JobRecord
from tests.jobs.yard import PRELUDE, SLEEPS, Yard, gone, kill, until

QUICK = {"heartbeat_seconds": 0.2, "stop_grace_seconds": 0.3}


def all_is_well_after(yard: Yard, record: JobRecord, *words: str) -> None:
    """FAILED with a readable reason and a next step, no file left, and the next job works."""
    assert record.status is JobStatus.FAILED
    for word in words:
        assert word in record.failure_reason
    assert record.failure_reason.rstrip().endswith(".")
    the_next_job_works(yard)


def the_next_job_works(yard: Yard) -> None:
    assert yard.leftovers() == []
    yard.start("next")
    assert yard.end("next").status is JobStatus.COMPLETED
    assert yard.leftovers() == []


def test_the_runner_is_killed(yard: Yard) -> None:
    yard = yard.with_settings(**QUICK)
    yard.start("a", SLEEPS)
    yard.reached("a", "build")
    child = yard.child("a")
    runner = yard.store.get("a").runner_pid
    assert runner
    kill(runner)
    record = yard.end("a")
    assert gone(child)
    all_is_well_after(yard, record, "ServerError", "runner", str(runner), "Create the job again")


def test_the_runner_is_killed_while_the_job_is_stopping(yard: Yard) -> None:
    yard = yard.with_settings(heartbeat_seconds=0.2)
    yard.start("a", "signal.signal(signal.SIGTERM, signal.SIG_IGN); say('build'); time.sleep(60)")
    yard.reached("a", "build")
    assert yard.store.change("a", JobStatus.STOPPING)
    kill(int(yard.store.get("a").runner_pid or 0))
    assert yard.end("a").status is JobStatus.STOPPED
    the_next_job_works(yard)


def test_the_runner_and_what_outlives_it_are_killed_together(yard: Yard) -> None:
    """A grandchild has no bond to the runner: the reaper finds it by its process group."""
    yard = yard.with_settings(**QUICK)
    note = yard.folder / "pid"
    program = (
        "import subprocess; p = subprocess.Popen(['sleep', '60']); "
        f"open({str(note)!r}, 'w').write(str(p.pid)); say('verify'); time.sleep(60)"
    )
    yard.start("a", program)
    yard.reached("a", "verify")
    grandchild = psutil.Process(int(note.read_text()))
    kill(int(yard.store.get("a").runner_pid or 0))
    yard.end("a")
    until(lambda: gone(grandchild))
    the_next_job_works(yard)


def test_the_runner_is_told_to_end_as_at_a_shutdown(yard: Yard) -> None:
    yard.start("a", SLEEPS)
    yard.reached("a", "build")
    kill(int(yard.store.get("a").runner_pid or 0), signal.SIGTERM)
    all_is_well_after(yard, yard.end("a"), "SIGTERM", "stage build", "Create the job again")


def test_the_compile_child_is_killed(yard: Yard) -> None:
    yard.start("a", SLEEPS)
    yard.reached("a", "build")
    kill(yard.child("a").pid)
    all_is_well_after(yard, yard.end("a"), "SIGKILL", "stage build", "memory")


def test_the_runner_dies_before_it_can_report(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation: the interpreter starts, the import fails."""
    broken = yard.folder / "broken"
    (broken / "psutil").mkdir(parents=True)
    (broken / "psutil" / "__init__.py").write_text("raise ImportError('psutil is broken')")
    with monkeypatch.context() as patched:
        patched.setenv("PYTHONPATH", str(broken))
        yard.start("a")
    with monkeypatch.context() as patched:
        patched.setattr("neo_magics.jobs.executors.local._START_SECONDS", 0.5)
        record = yard.end("a")
    all_is_well_after(yard, record, "did not start", "psutil is broken", "doctor")


def test_the_work_folder_is_deleted_under_the_job(yard: Yard) -> None:
    yard.start("a", "import shutil; say('build'); shutil.rmtree(work); open(work + '/out', 'w')")
    all_is_well_after(yard, yard.end("a"), "work folder", "was deleted in stage build", "again")


def test_the_store_is_locked_for_seconds_while_the_job_ends(yard: Yard) -> None:
    yard.start("a", "say('build'); time.sleep(0.5); done()")
    yard.reached("a", "build")
    with lock(yard.settings.home / "jobs.db", seconds=3):
        time.sleep(2)
        assert yard.store.get("a").status is JobStatus.INPROGRESS
    assert yard.end("a").status is JobStatus.COMPLETED
    the_next_job_works(yard)


def test_a_time_out_is_enforced_while_the_store_is_locked(yard: Yard) -> None:
    yard.start("a", SLEEPS, seconds=1)
    yard.reached("a", "build")
    child = yard.child("a")
    with lock(yard.settings.home / "jobs.db", seconds=8) as holder:
        until(lambda: gone(child))
        assert holder.poll() is None  # still locked
        kill(holder.pid)
    all_is_well_after(yard, yard.end("a"), "time limit")


def test_two_processes_create_the_same_job_at_once(yard: Yard) -> None:
    script = yard.folder / "child.py"
    script.write_text(PRELUDE + "done()")
    creator = f"""
import sys
from neo_magics.errors import ApiError
from neo_magics.jobs.executors.local import LocalExecutor
from neo_magics.jobs.record import JobRecord
from neo_magics.jobs.store import JobStore
from neo_magics.settings import Settings
settings = Settings.from_environment()
store = JobStore(settings.url)
sys.stdin.readline()
request = {{"StoppingCondition": {{"MaxRuntimeInSeconds": 60}}}}
try:
    store.insert(JobRecord(name="a", arn="arn:a", request=request))
    LocalExecutor(store, settings, child_command=({sys.executable!r}, {str(script)!r})).pump(force=True)
    print("created")
except ApiError as error:
    print(error.code)
"""
    creators = [
        subprocess.Popen(
            [sys.executable, "-c", creator], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate("go\n")[0].strip() for process in creators]
    assert sorted(answers) == ["ResourceInUse", "created"]
    assert yard.end("a").status is JobStatus.COMPLETED
    the_next_job_works(yard)


class lock:
    """Another process holds the write lock of the SQLite file for `seconds`."""

    def __init__(self, database: Path, seconds: float) -> None:
        program = (
            "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); time.sleep(float(sys.argv[2]))"
        )
        self.database = database
        self.holder = subprocess.Popen(
            [sys.executable, "-c", program, str(database), str(seconds)], stdout=subprocess.PIPE
        )

    def __enter__(self) -> subprocess.Popen[bytes]:
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == b"locked\n"
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            self._write()
        return self.holder

    def __exit__(self, *_: object) -> None:
        self.holder.wait()
        assert self.holder.stdout is not None
        self.holder.stdout.close()

    def _write(self) -> None:
        connection = sqlite3.connect(self.database, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.close()
