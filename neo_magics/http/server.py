"""Runs the application: a socket, a server, and an end that leaves running jobs running."""

from __future__ import annotations

import contextlib
import errno
import logging
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import anyio
import anyio.to_thread
import uvicorn

from neo_magics.errors import BackendError, NeoMagicsError
from neo_magics.http.access import error_log
from neo_magics.http.app import Endpoint, create_app
from neo_magics.http.protocol import guarded

_BACKLOG = 128
_ADDRESS_HINT = "Give an address of this machine and a port from 0 to 65535."
_TEND_SECONDS = 5
_GRACE_SECONDS = 10  # for requests in work when the server is asked to stop


@dataclass(frozen=True)
class Listener:
    """A bound socket."""

    socket: socket.socket
    host: str

    @property
    def port(self) -> int:
        """The port, also where any was asked for."""
        return int(self.socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{here}]:{self.port}" if ":" in here else f"http://{here}:{self.port}"


def listen(host: str, port: int) -> Listener:
    """Bind `host`:`port` (0: any free port). Raises BackendError where that is not possible."""
    if not 0 <= port <= 65535:
        raise BackendError(f"Cannot listen on port {port}.", hint=_ADDRESS_HINT)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise BackendError(f"Cannot listen on {host!r}, port {port}: {error}.", hint=_ADDRESS_HINT) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_bind(host, port, error) from error
    return Listener(listener, host)


def run(
    endpoint: Endpoint,
    listener: Listener,
    on_ready: Callable[[], None] = lambda: None,
    *,
    tend: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in work and return.

    `on_ready` is called once connections are accepted, `tend` every few seconds in a thread. Jobs run in
    processes of their own and go on.
    """
    server = make_server(endpoint, tend)
    with _stopped_by_signals(server):
        # The socket listens already: a connection made from now on waits for the loop's first turn.
        on_ready()
        server.run(sockets=[listener.socket])


def make_server(endpoint: Endpoint, tend: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """The configured uvicorn server, not yet running."""
    limits = endpoint.limits
    config = uvicorn.Config(
        create_app(endpoint),
        http=guarded(limits),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        callback_notify=_tending(tend),
        timeout_notify=_TEND_SECONDS,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        h11_max_incomplete_event_size=limits.header_bytes,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    return uvicorn.Server(config)


def _tending(tend: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def turn() -> None:
        try:
            await anyio.to_thread.run_sync(tend)
        except (NeoMagicsError, OSError) as error:
            error_log.warning("Cannot tend the queue: %s", error)

    return turn


def _cannot_bind(host: str, port: int, error: OSError) -> BackendError:
    if error.errno == errno.EADDRINUSE:
        hint = "Stop what listens there, or choose another port (--port 0 takes any free one)."
        return BackendError(f"Port {port} of {host} is in use.", hint=hint)
    hint = (
        "Ports below 1024 need privileges; choose a higher one."
        if error.errno == errno.EACCES
        else _ADDRESS_HINT
    )
    return BackendError(f"Cannot listen on {host}, port {port}: {error.strerror}.", hint=hint)


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGTERM and SIGINT end `server` in order, at any moment; uvicorn alone would then die of the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
