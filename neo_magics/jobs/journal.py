"""The way of a line from the compile child into the job's log: bounded, cleaned, written in batches."""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING

from neo_magics.api.events import Event, LogLine, ProgressEvent, render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FLUSH_SECONDS = 0.2
_LINE_CHARACTERS = 2_000
_LINES_PER_FLUSH = 100
_PLAIN_CHARACTERS = 4_000_000  # of one job
_PENDING_LIMIT = 10_000  # while the store cannot be written
_SECRET_VARIABLES = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_URL_PASSWORD = re.compile(r"(://[^\s:/@]+:)[^\s@/]+@")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Journal:
    """Collects events and hands them to `append` at most `_FLUSH_SECONDS` later.

    Plain lines are cut, stripped of terminal codes and secrets, and bounded in rate and in sum; what is
    left out is counted. Of several progress events of a stage in one batch only the last is kept.
    """

    def __init__(self, append: Callable[[Sequence[tuple[int, str]]], None]) -> None:
        self._append = append
        self._pending: list[tuple[int, Event]] = []
        self._plain_lines = 0
        self._plain_characters = 0
        self._left_out = 0
        self._flush_at = float("inf")
        self._secrets = [v for name in _SECRET_VARIABLES if (v := os.environ.get(name))]

    def add(self, event: Event) -> None:
        """Note an event; it is written by a later `flush`."""
        if isinstance(event, LogLine):
            if not self._room_for(event):
                self._left_out += 1
                return
            event = LogLine(self._clean(event.text))
        elif isinstance(event, ProgressEvent):
            self._pending = [(t, e) for t, e in self._pending if not _same_stage(e, event)]
        self._pending.append((int(time.time() * 1000), event))
        self._flush_at = min(self._flush_at, time.monotonic() + _FLUSH_SECONDS)

    def flush(self, *, force: bool = False) -> None:
        """Write what is pending if its time has come. If the store refuses, it is kept for the next time."""
        if not (force or time.monotonic() >= self._flush_at):
            return
        if self._left_out:
            note = LogLine(f"… {self._left_out} further lines of output left out")
            self._pending.append((int(time.time() * 1000), note))
        self._plain_lines = self._left_out = 0
        self._flush_at = time.monotonic() + _FLUSH_SECONDS
        if self._pending:
            self._append([(moment, render(event)) for moment, event in self._pending])
        self._pending = []
        self._flush_at = float("inf")

    def _room_for(self, line: LogLine) -> bool:
        self._plain_lines += 1
        self._plain_characters += min(len(line.text), _LINE_CHARACTERS)
        return (
            self._plain_lines <= _LINES_PER_FLUSH
            and self._plain_characters <= _PLAIN_CHARACTERS
            and len(self._pending) < _PENDING_LIMIT
        )

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        text = _URL_PASSWORD.sub(r"\1***@", _ESCAPES.sub("", text))
        return text if len(text) <= _LINE_CHARACTERS else text[:_LINE_CHARACTERS] + "…"


def _same_stage(event: Event, progress: ProgressEvent) -> bool:
    return isinstance(event, ProgressEvent) and event.stage == progress.stage
