"""A job from STARTING to its end, with the words, limits and wishes that meet it on the way."""

from __future__ import annotations

import pytest

from neo_magics.api.states import JobStatus
from neo_magics.errors import REASON_LIMIT
from tests.jobs.yard import SLEEPS, Yard, gone, until


def test_a_job_runs_to_completed_and_records_what_its_child_made(yard: Yard) -> None:
    yard.start("a", "say('build'); say('build', 'done'); done()")
    record = yard.end("a")
    assert record.status is JobStatus.COMPLETED
    assert (record.artifacts, record.digest, record.derived_input_config) == (
        "s3://bucket/m.tar.gz",
        "ab",
        "{}",
    )
    assert record.failure_reason == ""
    assert record.created <= record.started <= record.ended  # type: ignore[operator]
    assert yard.leftovers() == []


def test_what_the_child_prints_becomes_the_log_and_only_standard_output_is_read_as_events(yard: Yard) -> None:
    yard.start("a", "say('build'); print('plain'); print('noise\\tneo:{}', file=sys.stderr); done()")
    yard.end("a")
    log = yard.log("a")
    assert any(line.startswith("build: started\tneo:{") for line in log)
    assert "plain" in log
    assert "noise    neo:{}" in log


def test_floods_and_long_lines_are_cut_and_counted(yard: Yard) -> None:
    yard.start("a", "print('x' * 100_000); [print('line', n) for n in range(20_000)]; done()")
    yard.end("a")
    log = yard.log("a")
    assert max(map(len, log)) < 3_000
    assert len(log) < 5_000
    assert any("left out" in line for line in log)


def test_secrets_of_the_environment_stay_out_of_the_log(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    yard.start("a", "print(os.environ['AWS_SECRET_ACCESS_KEY'], 'postgresql://me:pw@db/x'); done()")
    yard.end("a")
    assert "*** postgresql://me:***@db/x" in yard.log("a")


def test_the_childs_own_reason_becomes_the_failure_reason(yard: Yard) -> None:
    program = """
open(work + '/result.json', 'w').write(json.dumps({'failure_reason': 'ClientError: no'}))
sys.exit(1)
"""
    yard.start("a", program)
    record = yard.end("a")
    assert (record.status, record.failure_reason) == (JobStatus.FAILED, "ClientError: no")
    assert record.artifacts == ""
    assert yard.leftovers() == []


def test_an_exit_without_result_names_the_status_the_stage_and_the_last_words(yard: Yard) -> None:
    yard.start("a", "say('optimize'); print('I give up', file=sys.stderr); sys.exit(3)")
    reason = yard.end("a").failure_reason
    assert "exit status 3 in stage optimize" in reason
    assert "I give up" in reason


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL", "SIGFPE"])
def test_a_crash_names_signal_and_stage(yard: Yard, name: str) -> None:
    yard.start("a", f"say('build'); os.kill(os.getpid(), signal.{name})")
    record = yard.end("a")
    assert record.status is JobStatus.FAILED
    assert record.failure_reason.startswith(
        f"ClientError: CompilationError: The compiler crashed with {name}"
    )
    assert "in stage build" in record.failure_reason
    assert len(record.failure_reason) <= REASON_LIMIT
    assert yard.leftovers() == []


def test_a_time_out_names_the_limit_the_stage_and_what_to_do(yard: Yard) -> None:
    yard.start("a", SLEEPS, seconds=1)
    record = yard.end("a")
    assert record.status is JobStatus.FAILED
    for words in ("time limit", "stage build", "MaxRuntimeInSeconds is 1 s", "Raise StoppingCondition"):
        assert words in record.failure_reason
    assert yard.leftovers() == []


def test_memory_over_the_limit_names_the_figures_and_what_to_do(yard: Yard) -> None:
    small = yard.with_settings(memory_limit_mb=100)
    small.start("a", "say('build'); held = bytearray(200 << 20); time.sleep(60)")
    reason = small.end("a").failure_reason
    assert "Out of memory: stage build used" in reason
    assert "the limit is 100 MB" in reason
    assert "NEO_MAGICS_MEMORY_LIMIT_MB" in reason


def test_memory_of_the_childs_own_children_counts(yard: Yard) -> None:
    program = (
        "import subprocess; say('verify'); "
        "subprocess.run([sys.executable, '-c', 'import time; b = bytearray(200 << 20); time.sleep(60)'])"
    )
    small = yard.with_settings(memory_limit_mb=150)
    small.start("a", program)
    assert "Out of memory: stage verify" in small.end("a").failure_reason


def test_a_polite_child_is_stopped_with_sigterm_and_may_clean_up(yard: Yard) -> None:
    note = yard.folder / "cleaned"
    program = f"""
def clean(*_):
    open({str(note)!r}, "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, clean)
say('build'); time.sleep(60)
"""
    yard.start("a", program)
    yard.reached("a", "build")
    assert yard.store.change("a", JobStatus.STOPPING)
    record = yard.end("a")
    assert (record.status, record.failure_reason) == (JobStatus.STOPPED, "")
    assert note.exists()
    assert yard.leftovers() == []


def test_a_stubborn_child_is_killed_after_the_grace(yard: Yard) -> None:
    quick = yard.with_settings(stop_grace_seconds=0.3)
    quick.start("a", "signal.signal(signal.SIGTERM, signal.SIG_IGN); say('build'); time.sleep(60)")
    quick.reached("a", "build")
    child = quick.child("a")
    assert quick.store.change("a", JobStatus.STOPPING)
    assert quick.end("a").status is JobStatus.STOPPED
    assert gone(child)
    assert quick.leftovers() == []


def test_a_result_that_comes_after_the_stop_stays_stopped(yard: Yard) -> None:
    yard.start("a", "signal.signal(signal.SIGTERM, lambda *_: done()); say('upload'); time.sleep(60)")
    yard.reached("a", "upload")
    assert yard.store.change("a", JobStatus.STOPPING)
    record = yard.end("a")
    assert (record.status, record.artifacts) == (JobStatus.STOPPED, "")


def test_what_the_child_leaves_running_is_killed(yard: Yard) -> None:
    note = yard.folder / "pid"
    program = (
        "import subprocess; p = subprocess.Popen(['sleep', '60']); "
        f"open({str(note)!r}, 'w').write(str(p.pid)); done()"
    )
    yard.start("a", program)
    assert yard.end("a").status is JobStatus.COMPLETED
    import psutil

    pid = int(note.read_text())
    until(lambda: not psutil.pid_exists(pid) or gone(psutil.Process(pid)))


def test_the_child_sees_neither_the_store_nor_the_folder_of_the_caller(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEO_MAGICS_DATABASE_URL", f"sqlite:///{yard.settings.home / 'jobs.db'}")
    program = """
print('sees', os.environ.get('NEO_MAGICS_DATABASE_URL'), os.getcwd() == os.environ['TMPDIR'])
done()
"""
    yard.start("a", program)
    yard.end("a")
    assert "sees None True" in yard.log("a")
