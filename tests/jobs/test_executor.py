"""The queue: order, limits, waiting time, and runners that could not start."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from neo_magics.api.states import JobStatus
from tests.jobs.yard import ENDS_WELL, PRELUDE, SLEEPS, Yard, until


def test_with_a_limit_of_one_jobs_run_one_after_the_other_in_their_order(yard: Yard) -> None:
    program = "say('build'); time.sleep(0.2); done()"
    executor = yard.executor(program)
    for name in ("a", "b", "c"):
        yard.insert(name)
    executor.pump(force=True)
    # Nobody asks from here on: each runner starts the next job itself.
    until(lambda: yard.store.get("c").status is JobStatus.COMPLETED)
    records = [yard.store.get(name) for name in ("a", "b", "c")]
    assert [record.status for record in records] == [JobStatus.COMPLETED] * 3
    for one, next_one in itertools.pairwise(records):
        assert one.ended <= next_one.started  # type: ignore[operator]
    assert yard.leftovers() == []


def test_with_a_limit_of_two_two_run_and_the_third_waits(yard: Yard) -> None:
    wide = yard.with_settings(max_running_jobs=2)
    executor = wide.executor(SLEEPS)
    for name in ("a", "b", "c"):
        wide.insert(name)
    executor.pump(force=True)
    assert [record.name for record in wide.store.running()] == ["a", "b"]
    assert [record.name for record in wide.store.queued()] == ["c"]


def test_many_pumps_at_once_start_each_job_once(yard: Yard) -> None:
    note = yard.folder / "starts"
    program = f"open({str(note)!r}, 'a').write('x'); done()"
    for name in ("a", "b", "c"):
        yard.insert(name)
    wide = yard.with_settings(max_running_jobs=3)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda executor: executor.pump(force=True), [wide.executor(program) for _ in range(8)]))
    for name in ("a", "b", "c"):
        assert wide.end(name).status is JobStatus.COMPLETED
    assert note.read_text() == "xxx"


def test_a_job_that_waits_longer_than_it_may_fails_with_the_limit(yard: Yard) -> None:
    yard.start("a", SLEEPS)
    yard.insert("b", MaxPendingTimeInSeconds=1)
    until(lambda: time.time() - yard.store.get("b").created.timestamp() > 1.1)
    yard.executor().pump(force=True)
    record = yard.store.get("b")
    assert record.status is JobStatus.FAILED
    assert "MaxPendingTimeInSeconds of 1 s" in record.failure_reason
    assert yard.store.get("a").status is not JobStatus.FAILED


def test_a_compile_child_that_cannot_be_started_fails_the_job_with_the_reason(yard: Yard) -> None:
    from neo_magics.jobs.executors.local import LocalExecutor

    yard.insert("a")
    LocalExecutor(yard.store, yard.settings, child_command=("/no/such/program",)).pump(force=True)
    record = yard.end("a")
    assert record.status is JobStatus.FAILED
    assert "/no/such/program" in record.failure_reason
    assert yard.leftovers() == []


def test_a_work_folder_that_cannot_be_made_fails_the_job_and_the_next_one_starts(yard: Yard) -> None:
    work = yard.settings.folder("work")
    yard.insert("a")
    blocked = yard.executor().work_folder(yard.store.get("a")).path
    blocked.write_text("a file where the folder should be")
    yard.start("b")
    assert yard.end("a").status is JobStatus.FAILED
    assert yard.end("b").status is JobStatus.COMPLETED
    assert list(work.iterdir()) == []


def test_the_runner_is_in_a_session_of_its_own_and_holds_none_of_the_callers_files(yard: Yard) -> None:
    held = (yard.folder / "held").open("w")
    os.set_inheritable(held.fileno(), True)
    yard.start("a", SLEEPS)
    runner = psutil.Process(yard.running("a").runner_pid)
    assert os.getsid(runner.pid) != os.getsid(0)
    assert runner.ppid() != os.getpid()
    assert held.name not in {file.path for file in runner.open_files()}
    assert os.getpgid(yard.child("a").pid) == yard.child("a").pid
    held.close()


def test_a_job_outlives_the_process_that_created_it(yard: Yard) -> None:
    script = yard.folder / "child.py"
    script.write_text(PRELUDE + "say('build'); time.sleep(0.5); done()")
    yard.insert("a")
    kernel = f"""
import os, signal, time
from neo_magics.settings import Settings
from neo_magics.jobs.store import JobStore
from neo_magics.jobs.executors.local import LocalExecutor
settings = Settings.from_environment()
store = JobStore(settings.url)
LocalExecutor(store, settings, child_command=({sys.executable!r}, {str(script)!r})).pump(force=True)
signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been ignored all the way down
os.killpg(0, signal.SIGINT if {{interrupt}} else signal.SIGKILL)
time.sleep(60)
"""
    for interrupt in (True, False):
        ended = subprocess.run(
            [sys.executable, "-c", kernel.format(interrupt=interrupt)],
            start_new_session=True, capture_output=True, check=False,
        )  # fmt: skip
        assert ended.returncode != 0
    assert yard.end("a").status is JobStatus.COMPLETED


def test_a_pump_soon_after_another_costs_nothing_and_starts_nothing(yard: Yard) -> None:
    executor = yard.executor(ENDS_WELL)
    executor.pump()
    yard.insert("a")
    executor.pump()
    assert yard.store.get("a").claimed is None
    executor.pump(force=True)
    assert yard.store.get("a").claimed is not None
