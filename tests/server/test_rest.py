"""The REST routes over a real store."""

from __future__ import annotations

import json

import pytest

from neo_magics.api.events import LogLine, ProgressEvent, ReportEvent, StageEvent
from neo_magics.api.states import JobStatus
from neo_magics.artifact.archive import pack
from neo_magics.client import Backend
from neo_magics.measurement import save
from neo_magics.server.targets import choices
from neo_magics.settings import Settings
from tests.server.sample import comparison
from tests.widgets.conftest import REASON

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


async def test_list_is_empty_at_first(ask):
    assert await ask("jobs") == (200, {"jobs": [], "next": ""})


async def test_list_shows_the_running_stage(ask, stage):
    job = stage.create()
    stage.move(job, JobStatus.INPROGRESS)
    stage.log(job, StageEvent("build", "started"), ProgressEvent("build", 3, 12, "kernels"))
    status, body = await ask("jobs")
    (row,) = body["jobs"]
    assert status == 200
    assert (row["name"], row["status"], row["stage"]) == ("net-local-1", "INPROGRESS", "build")
    assert row["progress"] == {"done": 3, "total": 12, "unit": "kernels"}
    assert (row["framework"], row["target"]) == ("PYTORCH", "LINUX_X86_64")


async def test_list_pages_newest_first(ask, stage):
    for number in range(5):
        stage.create(f"net-{number}")
    _, first = await ask("jobs", params={"MaxResults": "3"})
    _, second = await ask("jobs", params={"MaxResults": "3", "NextToken": first["next"]})
    assert [row["name"] for row in first["jobs"] + second["jobs"]] == [f"net-{n}" for n in (4, 3, 2, 1, 0)]
    assert second["next"] == ""


async def test_list_takes_the_time_that_jupyterlab_adds(ask, stage):
    stage.create()
    status, body = await ask("jobs", params={"MaxResults": "5", "1795781472464": ""})
    assert (status, len(body["jobs"])) == (200, 1)


async def test_list_filters(ask, stage):
    stage.move(stage.create("one"), JobStatus.STOPPED)
    stage.create("two")
    _, stopped = await ask("jobs", params={"StatusEquals": "STOPPED"})
    _, named = await ask("jobs", params={"NameContains": "tw"})
    assert [row["name"] for row in stopped["jobs"]] == ["one"]
    assert [row["name"] for row in named["jobs"]] == ["two"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"StatusEquals": "DONE"}, "DONE"),
        ({"MaxResults": "many"}, "must be a whole number"),
        ({"MaxResults": "1000"}, "maxResults"),
        ({"CreationTimeAfter": "yesterday"}, "must be a time"),
        ({"NextToken": "made-up"}, "NextToken"),
        ({"Status": "STOPPED"}, "is not a filter"),
        ({"": "x"}, "is not a filter"),
    ],
)
async def test_list_refuses_what_the_contract_refuses(ask, query, words):
    status, body = await ask("jobs", params=query)
    assert status == 400
    assert words.lower() in (body["message"] + body["hint"]).lower()


async def test_describe_gives_the_request_as_it_was_made(ask, stage):
    stage.create(TargetDevice="ml_c5")
    status, body = await ask("jobs", "net-local-1")
    assert status == 200
    assert body["job"]["target"] == "ml_c5"
    assert body["backend"] == "local"
    assert body["request"]["CompilationJobName"] == "net-local-1"
    assert body["request"]["OutputConfig"]["TargetDevice"] == "ml_c5"
    assert "CompilationJobStatus" not in body["request"]
    assert list(body["texts"]) == ["JSON", "%%compile", "boto3", "aws cli"]
    assert json.loads(body["texts"]["JSON"]) == body["request"]


async def test_failed_job_says_why(ask, stage):
    stage.move(stage.create(), JobStatus.INPROGRESS, JobStatus.FAILED, failure_reason=REASON)
    _, listed = await ask("jobs")
    _, panel = await ask("jobs", "net-local-1", "panel")
    assert listed["jobs"][0]["reason"] == REASON
    assert "operators are not implemented" in panel["html"]
    assert panel["text"].startswith("net-local-1: failed")


async def test_log_goes_on_from_a_token(ask, stage):
    job = stage.create()
    stage.log(job, LogLine("first"), ReportEvent({"stages": {}}))
    _, one = await ask("jobs", "net-local-1", "log")
    stage.log(job, LogLine("second"))
    _, two = await ask("jobs", "net-local-1", "log", params={"after": one["token"]})
    assert [text for _when, text in one["lines"]] == ["Job net-local-1 is queued.", "first"]
    assert [text for _when, text in two["lines"]] == ["second"]


async def test_stop_then_delete(ask, stage):
    job = stage.create()
    stage.move(job, JobStatus.INPROGRESS)
    status, refused = await ask("jobs", "net-local-1", method="DELETE")
    assert (status, "INPROGRESS" in refused["message"]) == (400, True)
    status, body = await ask("jobs", "net-local-1", "stop", method="POST")
    assert (status, body["job"]["status"]) == (200, "STOPPING")
    stage.move(job, JobStatus.STOPPED)
    assert await ask("jobs", "net-local-1", method="DELETE") == (204, None)
    assert (await ask("jobs", "net-local-1"))[0] == 404


async def test_report_comparison_and_profile(ask, stage):
    job = stage.create()
    stage.log(job, ReportEvent({"stages": {"build": 1.5}}))
    assert await ask("jobs", job.name, "comparison") == (200, {"comparison": None, "html": ""})
    measured = comparison()
    save(stage.backend.settings, job.name, measured)
    _, body = await ask("jobs", job.name, "comparison")
    assert body["comparison"]["verdict"] in body["html"]
    assert (await ask("jobs", job.name, "report"))[1] == {"report": {"stages": {"build": 1.5}}}
    assert (await ask("jobs", job.name, "profile"))[1] == {"stages": {"build": 1.5}}
    row = (await ask("jobs"))[1]["jobs"][0]
    assert row["before"] == measured["before"]["median_ms"]
    assert row["after"] == measured["after"]["median_ms"]


async def test_artifact_and_its_download(ask, stage, jp_fetch, tmp_path):
    job = stage.create()
    assert (await ask("jobs", job.name, "artifact"))[0] == 409
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({"name": "net"}))
    pack(folder, tmp_path / "net.tar.gz")
    uri = "s3://neo-magics/net/output/net.tar.gz"
    stage.backend.store.put(tmp_path / "net.tar.gz", uri)
    stage.move(job, JobStatus.INPROGRESS, JobStatus.COMPLETED, artifacts=uri)
    _, body = await ask("jobs", job.name, "artifact")
    assert body["uri"] == uri
    assert body["manifest"] == {"name": "net"}
    assert [file["name"] for file in body["files"]] == ["manifest.json"]
    answer = await jp_fetch("neo-magics", "jobs", job.name, "artifact", "download")
    assert answer.body == (tmp_path / "net.tar.gz").read_bytes()
    assert "net.tar.gz" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("part", ["", "panel", "log", "report", "comparison", "profile", "artifact"])
async def test_unknown_job_is_not_found(ask, part):
    status, body = await ask("jobs", "nobody", *([part] if part else []))
    assert status == 404
    assert "nobody" in body["message"]


async def test_kernels_of_an_unfinished_job_cannot_be_timed(ask, stage):
    stage.create()
    status, body = await ask("jobs", "net-local-1", "profile", method="POST")
    assert status == 409
    assert "STARTING" in body["message"]


async def test_a_name_that_the_contract_refuses(ask):
    status, body = await ask("jobs", "no%20body%21")
    assert status == 400
    assert "compilationJobName" in body["message"]


async def test_unforeseen_failure_is_said_without_its_insides(ask, desks, monkeypatch):
    def broken(_asked):
        raise RuntimeError("secret")

    monkeypatch.setattr(desks.counter.desk, "jobs", broken)
    status, body = await ask("jobs")
    assert status == 500
    assert body == {"message": "The server failed.", "hint": "See the server's log."}


async def test_targets(ask):
    status, body = await ask("targets")
    names = [target["name"] for target in body["targets"]]
    assert (status, names[0]) == (200, "local")
    assert "rasp4b" in names
    dtypes = [dtype["name"] for dtype in body["dtypes"]]
    assert dtypes[:3] == ["bf16", "int8", "float32"]


def test_sagemaker_has_no_narrow_arithmetic_and_more_targets():
    offered = choices(Backend(Settings.from_environment(backend="sagemaker", region="us-east-1")))
    names = {kind: [one["name"] for one in offered[kind]] for kind in ("targets", "dtypes")}
    assert "jetson_nano" in names["targets"]
    assert "local" not in names["targets"]
    assert names["dtypes"][0] == "float32"
