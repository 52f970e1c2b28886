"""A panel's view follows from Describe's answer and the log's events, whatever order reading takes."""

import platform
from datetime import UTC, datetime, timedelta
from pathlib import Path

from neo_magics.api.events import STAGES, LogLine, ProgressEvent, ReportEvent, StageEvent
from neo_magics.widgets.view import LOG_LINES, LogState, job_view, tail, target_text

START = datetime(2026, 1, 1, tzinfo=UTC)


def description(status="INPROGRESS", **more):
    return {
        "CompilationJobName": "net",
        "CompilationJobStatus": status,
        "CreationTime": START,
        "InputConfig": {"Framework": "PYTORCH"},
        "OutputConfig": {"TargetDevice": "ml_c5"},
        **more,
    }


def at(second, event):
    return START + timedelta(seconds=second), event


def view(*events, status="INPROGRESS", now=10.0, **more):
    log = LogState().add(events)
    return job_view(description(status, **more), log, START + timedelta(seconds=now))


def states(seen):
    return {stage.name: stage.state for stage in seen.log.stages if stage.state != "waiting"}


def test_before_the_first_event_all_stages_wait():
    seen = view(status="STARTING")
    assert [stage.name for stage in seen.log.stages] == list(STAGES)
    assert {stage.state for stage in seen.log.stages} == {"waiting"}
    assert seen.elapsed == 10


def test_a_running_stage_counts_its_seconds():
    seen = view(
        at(1, StageEvent("fetch", "started")),
        at(2, StageEvent("fetch", "done", 1.0)),
        at(4, StageEvent("import", "started")),
    )
    assert states(seen) == {"fetch": "done", "import": "started"}
    assert seen.current.name == "import"
    assert seen.current.seconds == 6


def test_progress_belongs_to_its_stage():
    events = [at(1, StageEvent("build", "started")), at(2, ProgressEvent("build", 3, 8, "kernels"))]
    assert view(*events).log.progress.done == 3
    assert view(*events, at(3, StageEvent("build", "done", 2.0))).log.progress is None


def test_a_failed_job_names_the_stage_that_was_running():
    seen = view(
        at(1, StageEvent("import", "started")),
        status="FAILED",
        CompilationEndTime=START + timedelta(seconds=5),
        FailureReason="out of memory",
    )
    assert seen.failed_stage == "import"
    assert seen.elapsed == 5
    assert seen.reason == "out of memory"


def test_a_stopped_job_has_no_failed_stage():
    seen = view(at(1, StageEvent("import", "started")), status="STOPPED")
    assert states(seen) == {"import": "stopped"}
    seen = view(at(1, StageEvent("verify", "failed", 0.3)), status="STOPPED")  # what the stop ended, said so
    assert states(seen) == {"verify": "stopped"}
    assert seen.failed_stage == ""


def test_a_cached_job_says_so():
    assert view(at(1, StageEvent("optimize", "cached")), status="COMPLETED").cached


def test_the_report_is_kept_and_the_log_is_bounded():
    lines = [at(i, LogLine(str(i))) for i in range(LOG_LINES + 50)]
    seen = view(*lines, at(99, ReportEvent({"size": 3})))
    assert seen.log.report == {"size": 3}
    assert len(seen.log.lines) == LOG_LINES
    assert seen.log.lines[-1] == str(LOG_LINES + 49)


def test_the_users_home_is_not_in_what_is_shown():
    seen = view(at(1, LogLine(f"{Path.home()}/venv/lib/torch.py: a warning")))
    assert seen.log.lines == ("~/venv/lib/torch.py: a warning",)


def test_events_may_come_in_pieces():
    events = [
        at(1, StageEvent("fetch", "started")),
        at(2, LogLine("x")),
        at(3, StageEvent("fetch", "done", 2)),
    ]
    whole = LogState().add(events)
    pieces = LogState()
    for event in events:
        pieces = pieces.add([event])
    assert pieces == whole


def test_targets_for_a_person():
    platform = {"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NVIDIA"}
    assert target_text({"TargetPlatform": platform}) == "LINUX_ARM64_NVIDIA"
    assert (
        target_text({"TargetDevice": "ml_c5", "CompilerOptions": '{"mcpu": "native"}'}) == "ml_c5 (this CPU)"
    )
    assert target_text({"TargetDevice": "ml_c5", "CompilerOptions": "not json"}) == "ml_c5"


def test_tail_cuts_long_lines():
    assert tail(["a", "b" * 300, "c"], 2) == ["b" * 199 + "…", "c"]


def test_whether_the_artifact_runs_here_is_known_at_the_end():
    done = {"status": "COMPLETED", "ModelArtifacts": {"S3ModelArtifacts": "s3://b/a.tar.gz"}}
    native = {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}, "CompilerOptions": '{"mcpu": "native"}'}
    away = "ml_c6g" if platform.machine() == "x86_64" else "ml_c5"
    assert view(**done, OutputConfig=native).runs_here == (platform.machine() == "x86_64")
    assert not view(**done, OutputConfig={"TargetDevice": away}).runs_here
