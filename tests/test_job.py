"""A job in Python's hands: waiting, reading, stopping, and what it says when it did not complete."""

import threading
import time

import pytest

from neo_magics.api.events import LogLine, ReportEvent, StageEvent
from neo_magics.api.states import JobStatus as S
from neo_magics.errors import ApiError, JobFailedError, UsageError
from neo_magics.job import Job, StoppedMeasuring, StoppedWaiting
from neo_magics.job_log import LogReader
from neo_magics.settings import Settings
from tests.widgets.conftest import REASON, Stage


@pytest.fixture
def stage(settings: Settings) -> Stage:
    return Stage(settings)


def test_open_by_name(stage):
    stage.create("net")
    assert Job.open("net", stage.backend).status == S.STARTING
    assert Job.open("net").describe()["CompilationJobName"] == "net"
    with pytest.raises(UsageError, match=r"no job 'other'.*%neo jobs"):
        Job.open("other", stage.backend)


def test_wait_returns_the_completed_job(stage):
    job = stage.create()
    stage.move(job, S.INPROGRESS)
    threading.Timer(0.3, lambda: stage.move(job, S.COMPLETED)).start()
    assert job.wait(30) is job


def test_wait_raises_the_reason_and_the_stage(stage):
    job = stage.create()
    stage.move(job, S.INPROGRESS)
    stage.log(job, StageEvent("import", "failed", 1.0))
    stage.move(job, S.FAILED, failure_reason=REASON)
    with pytest.raises(JobFailedError) as caught:
        job.wait()
    assert REASON in caught.value.message
    assert caught.value.fields == {"name": job.name, "status": "FAILED", "reason": REASON, "stage": "import"}
    assert "%neo logs" in caught.value.hint


def test_what_a_job_makes_is_not_there_while_it_runs(stage):
    job = stage.create("net")
    stage.move(job, S.INPROGRESS)
    with pytest.raises(JobFailedError, match=r"^net has not ended yet, it is INPROGRESS. job.wait\(\) waits"):
        job.load()


def test_wait_for_a_stopped_job(stage):
    job = stage.create()
    stage.move(job, S.STOPPED)
    with pytest.raises(JobFailedError, match="was stopped"):
        job.wait()


def test_wait_has_a_timeout_and_the_job_goes_on(stage):
    job = stage.create()
    with pytest.raises(TimeoutError, match="goes on"):
        job.wait(0.1)
    assert job.status == S.STARTING


def test_interrupting_the_wait_says_how_to_come_back(stage):
    job = stage.create()

    def interrupt(_job):
        raise KeyboardInterrupt

    with pytest.raises(StoppedWaiting) as caught:
        job.wait(progress=interrupt)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert f"neo_magics.Job.open('{job.name}')" in caught.value._render_traceback_()[1]
    assert job.status == S.STARTING


def test_the_log_is_read_as_events_and_as_lines(stage):
    job = stage.create()
    before = time.time()
    stage.log(job, LogLine("hello"), StageEvent("fetch", "done", 0.5), ReportEvent({"size": 3}))
    assert job.report == {"size": 3}
    assert job.logs()[-2:] == ["hello", "fetch: done in 0.50 s"]
    when, event = job.events()[-1]
    assert event == ReportEvent({"size": 3})
    assert abs(when.timestamp() - before) < 60


def test_reading_again_gives_only_what_is_new(stage):
    job = stage.create()
    reader = LogReader(job)
    assert all(isinstance(event, LogLine) for _when, event in reader)
    stage.log(job, LogLine("one"))
    assert [event for _when, event in reader] == [LogLine("one")]
    assert list(reader) == []


def test_a_long_log_is_read_whole(stage):
    job = stage.create()
    for start in range(0, 12_000, 3_000):
        stage.log(job, *(LogLine(str(number)) for number in range(start, start + 3_000)))
    assert job.logs()[-12_000:] == [str(number) for number in range(12_000)]


def test_stop_and_delete(stage):
    job = stage.create()
    with pytest.raises(ApiError, match="STARTING"):
        job.delete()
    job.stop()
    assert job.status == S.STOPPED
    job.delete()
    with pytest.raises(UsageError, match="no job"):
        job.describe()


def test_a_name_used_again_shows_nothing_of_the_job_before(stage):
    first = stage.create("net")
    stage.log(first, LogLine("of the first"), ReportEvent({"size": 3}))
    first.stop()
    first.delete()
    assert "of the first" in first.logs()
    time.sleep(0.01)  # the log counts in milliseconds
    second = stage.create("net")
    assert "of the first" not in second.logs()
    assert second.report == {}
    stage.log(second, LogLine("of the second"))
    assert second.logs()[-1] == "of the second"


def test_a_name_used_again_is_downloaded_again(stage, tmp_path):
    for content in (b"first", b"second"):
        job = stage.create("net")
        (tmp_path / "made").write_bytes(content)
        job.backend.store.put(tmp_path / "made", "s3://neo-magics/net/output/net.tar.gz")
        job.stop()
        assert job.files.fetch("s3://neo-magics/net/output/net.tar.gz").read_bytes() == content
        job.delete()


def test_the_artifact_of_a_job_that_did_not_complete(stage):
    job = stage.create()
    stage.move(job, S.INPROGRESS)
    stage.move(job, S.FAILED, failure_reason=REASON)
    with pytest.raises(JobFailedError, match="Fancy"):
        job.load()


def test_repr(stage):
    job = stage.create("net")
    assert repr(job) == "<Job net: STARTING>"
    stage.move(job, S.STOPPED)
    job.delete()
    assert repr(job) == "<Job net: There is no job 'net'.>"


@pytest.mark.parametrize("what", ["compare", "profile"])
def test_ctrl_c_while_measuring_is_two_lines(stage, monkeypatch, what):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    job = stage.create()
    monkeypatch.setattr(f"neo_magics.measurement.{what}_job", interrupted)
    with pytest.raises(StoppedMeasuring) as caught:
        getattr(job, what)()
    assert len(caught.value._render_traceback_()) == 2
