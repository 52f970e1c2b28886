"""Looks at the job list while somebody watches, and tells all who do what changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from neo_magics.api.states import TERMINAL
from neo_magics.errors import NeoMagicsError
from neo_magics.server.refusals import refusal

Message = Mapping[str, Any]
Listener = Callable[[Message], None]

_CALM = 2  # times slower while no job runs
_SLOWEST = 30.0  # seconds between looks at a backend that fails
_log = logging.getLogger(__name__)


class Watcher:
    """One loop for any number of listeners; it rests while there is none.

    A listener first gets `{"jobs": …, "next": …}`, the whole first page, then `{"changed": rows, "deleted":
    names}`, and `{"error": …}` once where the backend begins to fail.
    """

    def __init__(self, look: Callable[[], dict[str, Any]], seconds: float) -> None:
        self._look = look
        self._seconds = seconds
        self._listeners: set[Listener] = set()
        self._page: dict[str, Any] | None = None
        self._error: Message | None = None
        self._task: asyncio.Task[None] | None = None

    def add(self, listener: Listener) -> None:
        """Tell `listener` what is known, and from now on what changes."""
        self._listeners.add(listener)
        if self._task is None:
            self._page = self._error = None
            self._task = asyncio.get_running_loop().create_task(self._watch())
        elif known := self._error or self._page:
            listener(known)

    def remove(self, listener: Listener) -> None:
        """Tell `listener` no more; without listeners the loop ends."""
        self._listeners.discard(listener)
        if not self._listeners and self._task:
            self._task.cancel()
            self._task = None

    async def close(self) -> None:
        """End the loop."""
        task, self._task = self._task, None
        self._listeners.clear()
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        pause = self._seconds
        while True:
            failed = await self._once()
            pause = min(_SLOWEST, pause * 2) if failed else self._seconds * (1 if self._busy else _CALM)
            await asyncio.sleep(pause)

    @property
    def _busy(self) -> bool:
        """Whether a job runs: then there is more to see."""
        return any(row["status"] not in TERMINAL for row in (self._page or {"jobs": ()})["jobs"])

    async def _once(self) -> bool:
        """One look; True where it failed."""
        try:
            page = await asyncio.to_thread(self._look)
        except NeoMagicsError as error:
            self._fail({"error": refusal(error)})
            return True
        except Exception:  # noqa: BLE001 - the loop must outlive what nobody foresaw
            _log.exception("The job list could not be read")
            self._fail(
                {"error": {"message": "The job list could not be read.", "hint": "See the server's log."}}
            )
            return True
        before, self._page = self._page, page
        recovered, self._error = self._error is not None, None
        message = page if before is None or recovered else difference(before, page)
        if message:
            self._tell(message)
        return False

    def _fail(self, message: Message) -> None:
        if self._error != message:
            self._error = message
            self._tell(message)

    def _tell(self, message: Message) -> None:
        for listener in tuple(self._listeners):
            listener(message)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is new or changed between two first pages, and what was deleted; {} where nothing is."""
    old = {row["name"]: row for row in before["jobs"]}
    new = {row["name"]: row for row in after["jobs"]}
    changed = [row for name, row in new.items() if not _same(old.get(name), row)]
    # A job older than the page's oldest was pushed off it, not deleted.
    oldest = min((row["created"] for row in new.values()), default="") if after["next"] else ""
    deleted = [name for name, row in old.items() if name not in new and row["created"] >= oldest]
    return {"changed": changed, "deleted": deleted} if changed or deleted else {}


def _same(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> bool:
    """Whether only time has passed: the page counts the seconds itself."""
    return old is not None and {**old, "elapsed": 0} == {**new, "elapsed": 0}
