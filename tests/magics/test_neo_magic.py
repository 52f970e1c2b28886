"""%neo: lists, settings and checks; its errors have a next step."""

import pytest

from neo_magics.api.events import LogLine
from neo_magics.api.states import JobStatus
from tests.widgets.conftest import stage

__all__ = ["stage"]


def test_help_names_every_command(run):
    for line in ("%neo", "%neo help", "%neo --help"):
        _result, printed = run(line)
        for command in ("jobs", "show", "logs", "profile", "stop", "delete", "targets", "config", "doctor"):
            assert f"%neo {command}" in printed
    _result, printed = run("%neo logs --help")
    assert "--lines" in printed
    _result, printed = run("%neo profile --help")
    assert "--seconds" in printed


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("job", "no command 'job'", "Did you mean jobs?"),
        ("jobs --stat FAILED", "unknown option --stat", "Did you mean --status?"),
        ("jobs --status FAILD", "no status 'FAILD'", "Did you mean FAILED?"),
        ("logs nothing-like-it", "There is no job 'nothing-like-it'", "%neo jobs"),
        ("show", "no jobs yet", "%%compile"),
        ("profile nothing-like-it", "There is no job 'nothing-like-it'", "%neo jobs"),
        ("profile --secnds 1", "unknown option --secnds", "Did you mean --seconds?"),
        ("delete", "required: NAME", "--help"),
        ("jobs -n 0", "--lines: it takes a whole number from 1 on, not '0'", "--help"),
        ("logs -n -3", "--lines: it takes a whole number from 1 on, not '-3'", "--help"),
    ],
)
def test_errors(run, line, message, hint):
    result, printed = run(f"%neo {line}")
    assert not result.success
    assert message in printed
    assert hint in printed
    assert len(printed.strip().splitlines()) <= 2


def test_no_jobs_yet(run):
    result, _printed = run("%neo jobs")
    assert repr(result.result) == "No jobs yet: %%compile files one."


def test_targets(run):
    result, _printed = run("%neo targets")
    text = repr(result.result)
    assert "rasp4b" in text
    assert "ml_inf1" not in text
    result, _printed = run("%neo targets --all")
    assert "needs the Neuron compiler; use --backend sagemaker" in repr(result.result)
    assert "<table>" in result.result._repr_html_()


def test_config_shows_what_is_in_force(run, monkeypatch):
    monkeypatch.setenv("NEO_MAGICS_BUCKET", "of-the-team")
    result, _printed = run("%neo config")
    (row,) = [row for row in result.result.rows if row[0] == "bucket"]
    assert row == ("bucket", "of-the-team", "NEO_MAGICS_BUCKET", "%config NeoMagics.bucket")
    run("%config NeoMagics.bucket = 'mine'")
    result, _printed = run("%neo config")
    assert "mine" in repr(result.result)


def test_doctor(run):
    result, _printed = run("%neo doctor")
    found = {row[1]: row[0] for row in result.result.rows}
    assert found["TVM runtime"] == found["Home"] == found["Backend"] == "✓"


def test_a_misspelt_job_name(shell, run, stage):
    owner = shell.magics_manager.registry["NeoMagics"]
    owner._backends[owner.backend_for().settings] = stage.backend
    stage.create("resnet18-local-20261123-101530-ab12")
    result, printed = run("%neo show resnet18-local-20261123-101530-ab13")
    assert not result.success
    assert "Did you mean resnet18-local-20261123-101530-ab12?" in printed


def test_a_job_that_was_deleted_is_shown_as_that(shell, run, stage):
    job = stage.create("gone")
    stage.move(job, JobStatus.STOPPED)
    job.delete()
    shell.user_ns["job"] = job
    for cell in ("job", "print(job)", "[job]"):
        result, printed = run(cell)
        assert result.success
        assert "<Job gone: There is no job 'gone'.>" in printed
        assert "Traceback" not in printed


def test_the_log_of_a_deleted_job_is_shown(shell, run, stage):
    owner = shell.magics_manager.registry["NeoMagics"]
    owner._backends[owner.backend_for().settings] = stage.backend
    job = stage.create("gone")
    stage.log(job, LogLine("the last words"))
    stage.move(job, JobStatus.STOPPED)
    job.delete()
    _result, printed = run("%neo logs gone")
    assert "the last words" in printed
    result, printed = run("%neo show gone")
    assert not result.success
    assert "There is no job 'gone'" in printed
