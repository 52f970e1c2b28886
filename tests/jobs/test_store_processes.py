"""One store, several processes: each change happens once, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys

from neo_magics.api.states import JobStatus
from neo_magics.jobs.store import JobStore
from neo_magics.settings import Settings

# Each program waits at a gate (a line on its standard input), so that all start together.
PRELUDE = """
import json, sys
from neo_magics.client import Backend
from neo_magics.settings import Settings

class Idle:
    def pump(self, *, force=False): pass
    def stop(self, record): pass

me = int(sys.argv[1])
def client():
    return Backend(Settings.from_environment(max_pending_jobs=10_000), executor=Idle())
def create(sagemaker, name):
    from tests.jobs.contract.operations import create_request
    try:
        sagemaker.create_compilation_job(**create_request(name))
        return "created"
    except sagemaker.exceptions.ResourceInUse:
        return "in use"
def gate():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def together(program: str, settings: Settings, count: int) -> list[object]:
    """What `count` processes that run `program` at the same time print at their end (JSON)."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + program]
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path), **settings.to_environment()}
    processes = [
        subprocess.Popen(
            [*command, str(index)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    results = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        results.append(json.loads(output))
    return results


def test_processes_that_open_a_new_store_at_once_all_can(settings: Settings) -> None:
    program = """
gate()
answer = client().sagemaker.list_compilation_jobs()
print(json.dumps(answer["CompilationJobSummaries"]))
"""
    assert together(program, settings, 4) == [[]] * 4


def test_of_two_that_create_the_same_job_one_does(settings: Settings) -> None:
    program = """
sagemaker = client().sagemaker
sagemaker.list_compilation_jobs()
gate()
print(json.dumps([create(sagemaker, f"job-{i}") for i in range(40)]))
"""
    first, second = together(program, settings, 2)
    assert isinstance(first, list)
    assert isinstance(second, list)
    for one, other in zip(first, second, strict=True):
        assert sorted((one, other)) == ["created", "in use"]


def test_no_change_is_lost_and_no_job_is_claimed_twice(settings: Settings) -> None:
    program = """
from neo_magics.api.states import JobStatus
backend = client()
store = backend.job_store
sagemaker = backend.sagemaker
gate()
for i in range(30):
    create(sagemaker, f"job-{me}-{i}")
mine = []
while (job := store.claim_next(limit=10_000)) is not None:
    mine.append(job.name)
    store.append_log(job.name, [(1, f"claimed by {me}")])
    assert store.change(job.name, JobStatus.INPROGRESS)
    assert store.change(job.name, JobStatus.COMPLETED, digest=str(me))
print(json.dumps(mine))
"""
    results = together(program, settings, 3)
    claimed = [name for names in results for name in names]  # type: ignore[attr-defined]
    store = JobStore(settings.url)
    while (left := store.claim_next(limit=10_000)) is not None:  # created after the others had looked
        claimed.append(left.name)
    assert sorted(claimed) == sorted(f"job-{me}-{i}" for me in range(3) for i in range(30))
    for owner, names in enumerate(results):
        for name in names:  # type: ignore[attr-defined]
            job = store.get(name)
            assert (job.status, job.digest) == (JobStatus.COMPLETED, str(owner))
            assert [event.message for event in store.read_log(name)][1:] == [f"claimed by {owner}"]
    store.close()


def test_the_limit_of_running_jobs_holds_over_processes(settings: Settings) -> None:
    program = """
backend = client()
for i in range(5):
    create(backend.sagemaker, f"job-{me}-{i}")
gate()
claims = [backend.job_store.claim_next(limit=3) for _ in range(10)]
print(json.dumps([job.name for job in claims if job]))
"""
    results = together(program, settings, 3)
    assert sum(len(names) for names in results) == 3  # type: ignore[arg-type]


def test_the_limit_of_waiting_jobs_holds_over_processes(settings: Settings) -> None:
    program = """
from botocore.exceptions import ClientError
from tests.jobs.contract.operations import create_request
backend = Backend(Settings.from_environment(max_pending_jobs=7), executor=Idle())
backend.sagemaker.list_compilation_jobs()
gate()
made = 0
for i in range(6):
    try:
        backend.sagemaker.create_compilation_job(**create_request(f"job-{me}-{i}"))
        made += 1
    except backend.sagemaker.exceptions.ResourceLimitExceeded:
        pass
print(json.dumps(made))
"""
    assert sum(together(program, settings, 2)) == 7  # type: ignore[arg-type]
