"""The memory of processes that this one did not start itself, such as a detached runner and its child."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_EVERY = 0.1  # seconds


class PeakMemory:
    """The largest sum of resident memory over processes whose environment holds `mark`, in bytes."""

    def __init__(self, mark: str) -> None:
        self._mark = mark.encode()
        self._known: dict[str, bool] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_EVERY):
            pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
            self.peak = max(self.peak, sum(_resident(pid) for pid in pids if self._is_marked(pid)))

    def _is_marked(self, pid: str) -> bool:
        if pid not in self._known:
            self._known[pid] = False
            with suppress(OSError):
                self._known[pid] = self._mark in Path(f"/proc/{pid}/environ").read_bytes()
        return self._known[pid]


def _resident(pid: str) -> int:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0
