"""A request id and one log line for every request, whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
import time

from h11 import LocalProtocolError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neo_magics.http.errors import REQUEST_ID, new_request_id

access_log = logging.getLogger("neo_magics.http.access")
error_log = logging.getLogger("neo_magics.http.error")


class AccessLog:
    """The outermost ASGI layer: address, operation, status, time, request id, caller, and no secret.

    It is also where an unforeseen error ends, with its traceback in the log and not in the answer.
    """

    def __init__(self, app: ASGIApp, send_seconds: float) -> None:
        self.app, self.send_seconds = app, send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, send, self.send_seconds)
        try:
            await self.app(scope, receive, request.send)
        except _SlowReader:
            error_log.warning("The caller of %s did not take its answer in time", request.id)
        except LocalProtocolError:
            error_log.warning("The caller of %s hung up before its answer", request.id)
        except Exception:  # noqa: BLE001 - nothing is above this but the server, which would only log it too
            error_log.exception("Unforeseen error in request %s", request.id)
        finally:
            request.log()


class _SlowReader(Exception):
    """The peer does not read; what was begun is dropped with the connection."""


class _Request:
    def __init__(self, scope: Scope, send: Send, send_seconds: float) -> None:
        self.scope, self._send, self._send_seconds = scope, send, send_seconds
        self.id = new_request_id()
        self.status = 0
        self.started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # The dispatcher may have given its own.
            self.id = headers.setdefault(REQUEST_ID, self.id)
            headers["cache-control"] = "no-store"
            headers["x-content-type-options"] = "nosniff"
            self.status = int(message["status"])
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._send(message)
        except TimeoutError as error:
            raise _SlowReader from error

    def log(self) -> None:
        target = Headers(scope=self.scope).get("x-amz-target") or self.scope["path"]
        access_log.info(
            "%s %s %s %d %.1f ms %s %s",
            (self.scope.get("client") or ("-",))[0],
            self.scope["method"],
            _shown(target),
            self.status,
            1000 * (time.perf_counter() - self.started),
            self.id,
            self.scope.get("state", {}).get("caller", "-"),
        )


def _shown(text: str) -> str:
    """`text` as one short printable word: it comes from anyone and goes to a terminal."""
    return "".join(c if c.isascii() and c.isprintable() and c != " " else "?" for c in text[:100])
