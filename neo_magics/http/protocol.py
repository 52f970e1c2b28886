"""uvicorn's HTTP/1.1 protocol with what it leaves to a proxy in front: a time-out for headers, a bound on
connections, and errors in AWS's form for what is not HTTP.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from neo_magics.http.errors import JSON_TYPE, REQUEST_ID, error_body, new_request_id
from neo_magics.http.limits import Limits


class GuardedProtocol(H11Protocol):
    """One connection. `limits` is set by `guarded`."""

    limits = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Drop the connection where there are too many; else give it a time for its first headers."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.abort()
        else:
            self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._forget_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes; a request whose headers are not complete yet must complete them in time."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_timer()
        elif self.conn.trailing_data[0]:
            self._await_headers()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP (or stopped to be), if an answer has not begun, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = error_body("SerializationException", msg)
            headers = [
                ("content-type", JSON_TYPE),
                ("content-length", str(len(body))),
                (REQUEST_ID, new_request_id()),
                ("connection", "close"),
            ]
            for event in (
                h11.Response(status_code=400, headers=headers),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _await_headers(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._header_timer = None
        self.timeout_keep_alive_handler()

    def _forget_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


def guarded(limits: Limits) -> type[GuardedProtocol]:
    """The protocol class with `limits`: uvicorn makes the instances itself."""
    return type("LimitedProtocol", (GuardedProtocol,), {"limits": limits})
