"""A Jupyter server with the extension, over a store whose jobs only the test moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError

from neo_magics.server.desk import Desk
from neo_magics.server.desks import Counter
from neo_magics.server.watcher import Watcher
from tests.widgets.conftest import Stage, stage

__all__ = ["stage"]
SECONDS = 0.05  # between looks


class OneDesk:
    """In the place of Desks: the test's backend, whatever is asked for."""

    def __init__(self, stage: Stage) -> None:
        desk = Desk(stage.backend)
        self.counter = Counter(desk, Watcher(lambda: desk.jobs({"MaxResults": "100"}), SECONDS))

    def at(self, _backend: str) -> Counter:
        return self.counter

    async def close(self) -> None:
        await self.counter.watcher.close()


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"neo_magics.server": True}}}


@pytest.fixture
def desks(jp_serverapp: Any, stage: Stage) -> OneDesk:
    """The extension's desks, replaced by one over `stage`."""
    one = OneDesk(stage)
    jp_serverapp.web_app.settings["neo_magics_desks"] = one
    return one


@pytest.fixture
def ask(desks: OneDesk, jp_fetch: Callable[..., Any]) -> Callable[..., Any]:
    """`await ask("jobs", "name", method=…)`: status and JSON body, for failures too."""

    return partial(answered, jp_fetch)


async def answered(jp_fetch: Callable[..., Any], *path: str, **options: Any) -> tuple[int, Any]:
    """The status and the JSON body of an answer, be it a failure."""
    if options.get("method") == "POST":
        options.setdefault("body", "")
    try:
        answer = await jp_fetch("neo-magics", *path, **options)
    except HTTPClientError as error:
        return error.code, json.loads(error.response.body if error.response else b"null")
    return answer.code, json.loads(answer.body or b"null")
