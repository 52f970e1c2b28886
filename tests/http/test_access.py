"""What the outermost layer makes of answers that cannot be sent."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
import pytest
from starlette.responses import PlainTextResponse

from neo_magics.http.access import AccessLog


def test_a_caller_that_hangs_up_early_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The state of h11, which uvicorn speaks HTTP with, where a broken request was the caller's last."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    connection.next_event()
    connection.send(h11.Response(status_code=400, headers=[("connection", "close")]))
    connection.send(h11.EndOfMessage())

    async def send(message: Any) -> None:
        connection.send(h11.Response(status_code=200, headers=[]))

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(AccessLog(PlainTextResponse("answer"), send_seconds=1)(scope, receive, send))
    assert "hung up before its answer" in caplog.text
    assert "Traceback" not in caplog.text
