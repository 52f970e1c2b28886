"""The stream of changes, and the watcher behind it."""

from __future__ import annotations

import json

import pytest

from neo_magics.api.states import JobStatus
from neo_magics.errors import BackendError
from neo_magics.server.watcher import difference

pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


async def test_the_list_first_then_what_changes(desks, stage, jp_ws_fetch, http_server):
    job = stage.create()
    socket = await jp_ws_fetch("neo-magics", "changes")
    first = json.loads(await socket.read_message())
    assert [row["name"] for row in first["jobs"]] == [job.name]
    stage.move(job, JobStatus.INPROGRESS)
    changed = json.loads(await socket.read_message())
    assert [row["status"] for row in changed["changed"]] == ["INPROGRESS"]
    stage.move(job, JobStatus.FAILED, failure_reason="ServerError: x")
    assert json.loads(await socket.read_message())["changed"][0]["reason"] == "ServerError: x"
    job.delete()
    assert json.loads(await socket.read_message())["deleted"] == [job.name]
    socket.close()


async def test_the_watcher_rests_when_the_last_page_is_gone(desks, jp_ws_fetch, http_server):
    watcher = desks.counter.watcher
    heard: list[object] = []
    watcher.add(heard.append)
    assert watcher._task is not None
    watcher.remove(heard.append)
    assert watcher._task is None


async def test_a_failing_backend_is_said_once(desks, jp_ws_fetch, http_server, monkeypatch):
    looks = iter([BackendError("No way.", hint="Try later."), BackendError("No way."), None])

    def look():
        error = next(looks, None)
        if error:
            raise error
        return {"jobs": [], "next": ""}

    desks.counter.watcher._look = look
    socket = await jp_ws_fetch("neo-magics", "changes")
    assert json.loads(await socket.read_message()) == {"error": {"message": "No way.", "hint": "Try later."}}
    assert json.loads(await socket.read_message())["error"]["hint"] == ""
    assert json.loads(await socket.read_message()) == {"jobs": [], "next": ""}
    socket.close()


def row(name, created, **others):
    return {"name": name, "created": created, "elapsed": 1.0, **others}


def test_time_alone_is_no_change():
    page = {"jobs": [row("a", "2")], "next": ""}
    later = {"jobs": [{**row("a", "2"), "elapsed": 9.0}], "next": ""}
    assert difference(page, later) == {}


def test_a_job_pushed_off_the_page_is_not_deleted():
    before = {"jobs": [row("b", "2"), row("a", "1")], "next": "token"}
    after = {"jobs": [row("c", "3"), row("b", "2")], "next": "token"}
    assert difference(before, after) == {"changed": [row("c", "3")], "deleted": []}
    assert difference(before, {"jobs": [row("a", "1")], "next": ""})["deleted"] == ["b"]
