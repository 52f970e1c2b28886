"""Watching one compile child to its end: its words, its time, its memory, and a wish to stop it."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import IO, TYPE_CHECKING

from neo_magics.api.events import LogLine, StageEvent, parse
from neo_magics.jobs.limits import MemoryWatch
from neo_magics.jobs.patience import unless_busy
from neo_magics.jobs.processes import signal_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from neo_magics.jobs.journal import Journal

_TICK_SECONDS = 0.05
_LOOK_SECONDS = 0.25  # between looks at memory and at the wish to stop
_DRAIN_SECONDS = 0.5  # for output that is still in the pipes after the end
_READ_BYTES = 1 << 16
_LONGEST_LINE = 1 << 20


class Cause(Enum):
    """Why the supervisor ended the child."""

    STOPPED = "stopped"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    TOLD_TO_END = "told to end"


@dataclass(frozen=True)
class Limits:
    """`seconds` of run time, `memory` in bytes, `grace` seconds between the polite stop and the kill."""

    seconds: float
    memory: int
    grace: float


@dataclass(frozen=True)
class Ending:
    """How the child ended: `cause` is None where it did so by itself; `memory`: the largest sample, bytes."""

    cause: Cause | None
    returncode: int
    stage: str
    memory: int
    last_lines: tuple[str, ...]


class Supervisor:
    """Runs until the child and its process group are gone.

    `wish` is asked every now and then for a reason to end the child; `beat` is called at every look.
    """

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        journal: Journal,
        limits: Limits,
        wish: Callable[[], Cause | None],
        beat: Callable[[], None],
    ) -> None:
        self._child = child
        self._journal = journal
        self._limits = limits
        self._wish = wish
        self._beat = beat
        self._memory = MemoryWatch(child.pid)
        self._peak = 0
        self._stage = "start"
        self._cause: Cause | None = None
        self._kill_at = float("inf")
        self._next_look = 0.0
        self._last_lines: deque[str] = deque(maxlen=5)
        self._rest: dict[int, bytes] = {}

    def run(self) -> Ending:
        """Supervise to the end."""
        deadline = time.monotonic() + self._limits.seconds
        with selectors.DefaultSelector() as selector:
            for stream in (self._child.stdout, self._child.stderr):
                assert stream is not None  # start_child opened all three
                selector.register(stream, selectors.EVENT_READ)
            while self._child.poll() is None:
                self._read(selector, _TICK_SECONDS)
                self._look(deadline)
                unless_busy(self._journal.flush)
            signal_group(self._child.pid, signal.SIGKILL)  # what the child left running
            self._drain(selector)
        return Ending(self._cause, self._child.returncode, self._stage, self._peak, tuple(self._last_lines))

    def _look(self, deadline: float) -> None:
        now = time.monotonic()
        if now >= self._kill_at:
            signal_group(self._child.pid, signal.SIGKILL)
        elif self._cause is None and now >= deadline:
            self._end(Cause.TIMED_OUT)
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_SECONDS
        self._beat()
        used = self._memory.used()
        self._peak = max(self._peak, used)
        if self._cause is None:
            self._end(Cause.OUT_OF_MEMORY if used > self._limits.memory else self._wish())

    def _end(self, cause: Cause | None) -> None:
        """SIGTERM now and SIGKILL later; memory does not wait."""
        if cause is None:
            return
        self._cause = cause
        at_once = cause is Cause.OUT_OF_MEMORY
        self._kill_at = time.monotonic() + (0.0 if at_once else self._limits.grace)
        signal_group(self._child.pid, signal.SIGKILL if at_once else signal.SIGTERM)

    def _read(self, selector: selectors.BaseSelector, timeout: float) -> None:
        if not selector.get_map():  # both streams are closed, the process lives on
            time.sleep(timeout)
            return
        for key, _ in selector.select(timeout):
            stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
            data = os.read(key.fd, _READ_BYTES)
            self._feed(key.fd, data, events=stream is self._child.stdout)
            if not data:
                selector.unregister(stream)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        until = time.monotonic() + _DRAIN_SECONDS
        while selector.get_map() and time.monotonic() < until:
            self._read(selector, _TICK_SECONDS)

    def _feed(self, stream: int, data: bytes, *, events: bool) -> None:
        *lines, rest = (self._rest.pop(stream, b"") + data).split(b"\n")
        if rest and (not data or len(rest) > _LONGEST_LINE):
            lines, rest = [*lines, rest], b""
        self._rest[stream] = rest
        for line in lines:
            self._hear(line.decode(errors="replace").rstrip("\r"), events=events)

    def _hear(self, line: str, *, events: bool) -> None:
        event = parse(line) if events else LogLine(line)
        if isinstance(event, StageEvent) and event.state == "started":
            self._stage = event.stage
        if isinstance(event, LogLine):
            if not event.text.strip():
                return
            self._last_lines.append(event.text)
        self._journal.add(event)
