"""The desks of all backends that were asked for, with a watcher each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from neo_magics.client import Backend
from neo_magics.errors import UsageError
from neo_magics.server.desk import Desk
from neo_magics.server.watcher import Watcher
from neo_magics.settings import Settings

_MOST = 8  # backends at once
_LOCAL_SECONDS, _REMOTE_SECONDS = 0.5, 5.0


@dataclass(frozen=True)
class Counter:
    """A desk, and the watcher of its list."""

    desk: Desk
    watcher: Watcher


class Desks:
    """Opens each backend once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open: dict[str, Counter] = {}

    def at(self, backend: str) -> Counter:
        """The counter of `backend` ("local", "sagemaker", a URL; "": the environment's).

        Raises:
            UsageError: not a backend, or too many of them.
        """
        name = backend.rstrip("/") or self._settings.backend
        if name not in self._open:
            self._open[name] = self._counter(name)
        return self._open[name]

    async def close(self) -> None:
        """End all watchers."""
        for counter in self._open.values():
            await counter.watcher.close()

    def _counter(self, name: str) -> Counter:
        if len(self._open) >= _MOST:
            raise UsageError(f"{_MOST} backends are open already.", hint="Restart the Jupyter server.")
        if urlsplit(name).username is not None:
            raise UsageError("A backend's URL must not hold a user name or a password.")
        backend = Backend(replace(self._settings, backend=name))
        desk = Desk(backend)
        seconds = _LOCAL_SECONDS if backend.is_local else _REMOTE_SECONDS
        return Counter(desk, Watcher(lambda: desk.jobs({"MaxResults": "100"}), seconds))
