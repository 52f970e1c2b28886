"""What a compile child may use: memory watched, threads counted, and the machine's own limits read."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

_MB = 1 << 20
_CHILDREN_SECONDS = 1.0  # looking for grandchildren walks the process table
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def memory_limit(setting_mb: int) -> int:
    """Bytes of resident memory for a compile child: the setting, or three quarters of what there is."""
    return setting_mb * _MB if setting_mb else machine_memory() * 3 // 4


def machine_memory() -> int:
    """Bytes of memory of this machine, or of the container that this process runs in."""
    limits = [psutil.virtual_memory().total]
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            limits.append(int(text))
    return min(limits)


def cpu_count() -> int:
    """CPUs this process may use; the affinity mask, not the machine's size, says that."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class MemoryWatch:
    """Resident memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._descendants: list[psutil.Process] = []
        self._next_look = 0.0

    def used(self) -> int:
        """Bytes now; 0 when all are gone."""
        if time.monotonic() >= self._next_look:
            self._descendants = _descendants(self._root)
            self._next_look = time.monotonic() + _CHILDREN_SECONDS
        return sum(_resident(process) for process in (self._root, *self._descendants))


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
