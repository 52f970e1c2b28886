"""What a user reads when something is away: the store, the job, the artifact, the backend."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from neo_magics.api.states import JobStatus
from neo_magics.jobs.database import Database
from tests.server.conftest import answered

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


async def test_store_locked(ask, stage, monkeypatch):
    job = stage.create()
    stage.move(job, JobStatus.INPROGRESS)
    database = stage.backend.job_store.database
    impatient = Database(database.url, busy_seconds=0.1)
    monkeypatch.setattr(database, "_engine", impatient._engine)
    monkeypatch.setattr(database, "_busy_seconds", 0.1)
    with closing(sqlite3.connect(stage.backend.settings.home / "jobs.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        listed, _ = await ask("jobs")
        status, body = await ask("jobs", job.name, "stop", method="POST")
    assert listed == 200  # who only looks does not wait
    assert status == 503
    assert "The job store is busy" in body["message"]
    assert "Try again." in body["message"]


async def test_job_gone(ask):
    status, body = await ask("jobs", "net-local-1")
    assert status == 404
    assert "net-local-1" in body["message"]
    assert body["hint"] == "It may have been deleted."


@pytest.mark.parametrize("part", ["artifact", "artifact/download", "profile"])
async def test_artifact_gone(ask, stage, tmp_path, part):
    job = stage.create()
    uri = "s3://neo-magics/net/output/net.tar.gz"
    (tmp_path / "net.tar.gz").write_bytes(b"x")
    stage.backend.store.put(tmp_path / "net.tar.gz", uri)
    shutil.rmtree(stage.backend.settings.home / "buckets" / "neo-magics" / "net")
    stage.move(job, JobStatus.INPROGRESS, JobStatus.COMPLETED, artifacts=uri)
    method = "POST" if part == "profile" else "GET"
    status, body = await ask("jobs", job.name, *part.split("/"), method=method)
    assert status == 409
    assert body["message"].startswith(f"The compiled archive of {job.name} cannot be fetched.")
    assert "net/output/net.tar.gz" in body["message"]
    assert "compile the model again" in body["hint"]


async def test_artifact_broken(ask, stage, tmp_path):
    job = stage.create()
    uri = "s3://neo-magics/net/output/net.tar.gz"
    (tmp_path / "net.tar.gz").write_bytes(b"not an archive")
    stage.backend.store.put(tmp_path / "net.tar.gz", uri)
    stage.move(job, JobStatus.INPROGRESS, JobStatus.COMPLETED, artifacts=uri)
    status, body = await ask("jobs", job.name, "artifact")
    assert status == 409
    assert body["message"] == "The archive cannot be read: not a gzip file."
    assert body["hint"] == "Compile the model again."


async def test_backend_away(jp_fetch, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "some")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    status, body = await answered(jp_fetch, "jobs", params={"backend": "http://127.0.0.1:9"})
    assert status == 502
    assert "http://127.0.0.1:9 cannot be reached" in body["message"]
    assert body["hint"]
