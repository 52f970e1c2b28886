"""Waiting for a store that another process holds locked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_PATIENCE_SECONDS = 300.0
_LONGEST_PAUSE = 2.0


def patiently(action: Callable[[], T], *, seconds: float = _PATIENCE_SECONDS) -> T:
    """`action()`, again and again with growing pauses while the store is locked or out of reach.

    Raises the store's error once `seconds` have passed, and any other error at once.
    """
    from sqlalchemy.exc import OperationalError

    until = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            return action()
        except OperationalError:
            if time.monotonic() + pause > until:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def give_up_if_locked(action: Callable[[], T]) -> T | None:
    """`action()`, or None if the store is locked: for what will be tried again soon anyway."""
    from sqlalchemy.exc import OperationalError

    try:
        return action()
    except OperationalError:
        return None
