"""Waiting for a store that another process holds locked, or that is out of reach for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from neo_magics.errors import ApiError, BackendError, NeoMagicsError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_PATIENCE_SECONDS = 120.0
_LONGEST_PAUSE = 1.0


def patiently(action: Callable[[], T], *, seconds: float = _PATIENCE_SECONDS) -> T:
    """`action()`, again and again with growing pauses while the store cannot answer.

    Raises the store's error once `seconds` have passed, and any other error at once.
    """
    until = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            return action()
        except NeoMagicsError as error:
            if not _may_pass(error) or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def unless_busy(action: Callable[[], T]) -> T | None:
    """`action()`, or None if the store cannot answer now: for what is tried again soon anyway."""
    try:
        return action()
    except NeoMagicsError as error:
        if not _may_pass(error):
            raise
        return None


def _may_pass(error: NeoMagicsError) -> bool:
    """Locked, its disk full, or (a database server) not reachable."""
    if isinstance(error, ApiError):
        return error.code == "ServiceUnavailable"
    return isinstance(error, BackendError | ResourceError)
