"""The ASGI application: who may call, then the dispatcher that also serves boto3 in process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from neo_magics.errors import ApiError, NeoMagicsError
from neo_magics.http.access import AccessLog, error_log
from neo_magics.http.errors import JSON_TYPE, error_body, status_of, throttled
from neo_magics.http.guard import Hosts, check_caller
from neo_magics.http.limits import Limits, TokenBuckets, read_body
from neo_magics.http.sigv4 import HttpRequest, Verifier

SERVICES: Mapping[str, str] = {"SageMaker": "sagemaker", "Logs_20140328": "logs"}


class Answer(Protocol):
    """What a dispatcher answers."""

    @property
    def status(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def headers(self) -> Mapping[str, str]: ...


# X-Amz-Target and body to an answer; blocks, and is called from several threads.
Dispatch = Callable[[str, bytes], Answer]


@dataclass
class Endpoint:
    """The routes and what they need.

    `health` raises where the store is out of reach; `version` is shown as it is.
    """

    dispatch: Dispatch
    verifier: Verifier
    hosts: Hosts
    health: Callable[[], None]
    version: Mapping[str, Any]
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._threads = anyio.CapacityLimiter(self.limits.threads)
        self._health_thread = anyio.CapacityLimiter(1)
        self._by_key = TokenBuckets(self.limits.rate, self.limits.burst)
        self._failures = TokenBuckets(self.limits.failures_rate, self.limits.failures_burst)

    async def post(self, request: Request) -> Response:
        """An operation of the API."""
        check_caller(request.headers, self.hosts)
        body = await read_body(request, self.limits)
        target = self._admit(request, body)
        _check_type(request)
        answer = await anyio.to_thread.run_sync(self.dispatch, target, body, limiter=self._threads)
        return Response(answer.body, answer.status, dict(answer.headers))

    async def show_health(self, request: Request) -> Response:
        """200 while the store can be reached, 503 otherwise. Needs no signature and tells nothing else."""
        check_caller(request.headers, self.hosts)
        try:
            await anyio.to_thread.run_sync(self.health, limiter=self._health_thread)
        except (NeoMagicsError, OSError) as error:
            error_log.warning("Not healthy: %s", error)
            return JSONResponse({"status": "failing", "store": "unreachable"}, 503)
        return JSONResponse({"status": "ok", "store": "ok"})

    async def show_version(self, request: Request) -> Response:
        """Versions of this package and of the API it serves."""
        check_caller(request.headers, self.hosts)
        return JSONResponse(dict(self.version))

    def _admit(self, request: Request, body: bytes) -> str:
        """The target of a request whose signature is right and whose caller has not called too often."""
        signed = HttpRequest(
            method=request.method,
            path=request.scope["raw_path"].decode("latin-1"),
            query=request.scope["query_string"].decode("latin-1"),
            headers=[
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in request.headers.raw
            ],
            body=body,
        )
        try:
            caller = self.verifier.verify(signed)
        except ApiError:
            if self._failures.take(request.client.host if request.client else ""):
                raise
            raise throttled() from None
        request.state.caller = caller
        if not self._by_key.take(caller):
            raise throttled()
        return signed.header("x-amz-target")


def create_app(endpoint: Endpoint) -> AccessLog:
    """The ASGI application of `endpoint`."""
    routes = [
        Route("/", endpoint.post, methods=["POST"]),
        Route("/health", endpoint.show_health, methods=["GET"]),
        Route("/version", endpoint.show_version, methods=["GET"]),
    ]
    handlers: dict[Any, Any] = {
        ApiError: _refuse,
        HTTPException: _no_route,
        ClientDisconnect: _gone,
        Exception: _fail,
    }
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return AccessLog(app, endpoint.limits.send_seconds)


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != JSON_TYPE:
        raise ApiError("UnsupportedMediaTypeException", f"The content type must be {JSON_TYPE}")


async def _refuse(_: Request, error: ApiError) -> Response:
    # What is left of a refused body is not read: the connection cannot serve another request.
    unread = error.code in ("RequestEntityTooLargeException", "RequestTimeoutException")
    headers = {"connection": "close"} if unread else {}
    return Response(error_body(error.code, error.message), status_of(error), headers, JSON_TYPE)


async def _no_route(_: Request, error: HTTPException) -> Response:
    code = {404: "UnknownPathException", 405: "MethodNotAllowedException"}.get(
        error.status_code, "InvalidAction"
    )
    return Response(error_body(code, str(error.detail)), error.status_code, error.headers, JSON_TYPE)


async def _gone(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=400)  # nobody reads it; the log line has it


async def _fail(_: Request, __: Exception) -> Response:
    message = "An internal failure occurred. The server's log says more."
    return Response(error_body("InternalFailure", message), 500, media_type=JSON_TYPE)
