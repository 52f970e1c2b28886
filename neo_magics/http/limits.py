"""What one caller may take: bytes of a body, seconds to send it, requests a second."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from neo_magics.errors import ApiError
from neo_magics.http.errors import too_large

_CALLERS = 1024  # buckets kept; the one unused for longest goes first


@dataclass(frozen=True)
class Limits:
    """Bounds of the server. A request of the CompilationJob API is under 100 kB."""

    body_bytes: int = 1 << 20
    dropped_bytes: int = 256 << 20  # of a body that is too large, read before the answer; not kept
    header_bytes: int = 32 << 10
    header_seconds: float = 10.0  # from a connection's first byte to the end of a request's headers
    body_seconds: float = 20.0
    send_seconds: float = 30.0  # for a slow reader to take its answer
    idle_seconds: int = 30  # of a connection between two requests
    connections: int = 256
    threads: int = 8  # requests worked on at a time
    rate: float = 100.0  # requests a second of one key, in the long run
    burst: int = 200
    failures_rate: float = 5.0  # refused signatures a second of one address
    failures_burst: int = 50


class TokenBuckets:
    """A token bucket per caller: `burst` requests at once, then `rate` a second. For one thread."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self.burst, self.clock = rate, burst, clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> bool:
        """Take one token of `caller`; False where none is left."""
        now = self.clock()
        level, then = self._levels.pop(caller, (float(self.burst), now))
        level = min(float(self.burst), level + (now - then) * self.rate)
        allowed = level >= 1
        self._levels[caller] = (level - 1 if allowed else level, now)
        if len(self._levels) > _CALLERS:
            self._levels.popitem(last=False)
        return allowed


async def read_body(request: Request, limits: Limits) -> bytes:
    """The whole body; raises ApiError where it is too large or comes too slowly.

    The limit holds for what arrives, so also where no length, or a false one, was announced. Of a body that
    is too large a little more is read and dropped: most clients send all of it before they read the answer.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.dropped_bytes:
        raise too_large(limits.body_bytes)
    body, arrived = bytearray(), 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                arrived += len(chunk)
                if arrived <= limits.body_bytes:
                    body += chunk
                if arrived > limits.dropped_bytes:
                    break
    except TimeoutError:
        message = f"The request body did not arrive within {limits.body_seconds:g} seconds"
        raise ApiError("RequestTimeoutException", message) from None
    if arrived > limits.body_bytes:
        raise too_large(limits.body_bytes)
    return bytes(body)
