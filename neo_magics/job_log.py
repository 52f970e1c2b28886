"""Reads what a job logs: its stages, its progress, its report, as events with their times."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from neo_magics.api.events import LOG_GROUP, Event, parse
from neo_magics.errors import ApiError, UsageError

if TYPE_CHECKING:
    from neo_magics.client import Backend


class LoggedJob(Protocol):
    """What is needed of a `Job`."""

    name: str
    backend: Backend

    def describe(self) -> dict[str, Any]:
        """DescribeCompilationJob's answer; raises UsageError for a job that is not there."""


class LogReader:
    """Reads a job's log from where it stopped reading: iterate again for what is new.

    A stream is named after its job, and a deleted job's name may be used again: what was logged before the
    job was created is another's.
    """

    def __init__(self, job: LoggedJob) -> None:
        self._job, self._backend = job, job.backend
        self._token = ""
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[tuple[datetime, Event]]:
        with self._lock:
            while events := self._page():
                for event in events:
                    yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), parse(event["message"])

    def _page(self) -> list[dict[str, Any]]:
        try:
            with self._backend.translated():
                answer = self._backend.logs.get_log_events(**self._request)
        except ApiError as error:
            if error.code == "ResourceNotFoundException":
                return []  # nothing was logged yet
            raise
        self._token = answer["nextForwardToken"]
        events: list[dict[str, Any]] = answer["events"]
        return events

    @property
    def _request(self) -> dict[str, Any]:
        request = {"logGroupName": LOG_GROUP, "logStreamName": self._job.name, "startFromHead": True}
        if self._created:
            request["startTime"] = self._created
        return request | ({"nextToken": self._token} if self._token else {})

    @cached_property
    def _created(self) -> int:
        """When the job was created, in milliseconds since the epoch; 0 for one that was deleted."""
        try:
            created: datetime = self._job.describe()["CreationTime"]
        except UsageError:
            return 0
        return int(created.timestamp() * 1000) - 1  # the wire may have rounded it up
