"""A job as the store holds it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from neo_magics.api.states import JobStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The time, UTC, with microseconds."""
    return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Whole microseconds since the epoch; a time without zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`, exactly."""
    return _EPOCH + timedelta(microseconds=micros)


def now_millis() -> int:
    """Milliseconds since the epoch, the unit of log events."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class JobRecord:
    """One job. `request` is the Create request without its tags; times are aware datetimes in UTC.

    `claimed` is when a runner took it from the queue, None while it waits. `runner_started` is the
    runner's process create time, `heartbeat` its last sign of life, both in seconds since the epoch.
    """

    name: str
    arn: str
    request: Mapping[str, Any]
    status: JobStatus = JobStatus.STARTING
    created: datetime = field(default_factory=now)
    modified: datetime = field(default_factory=now)
    claimed: datetime | None = None
    started: datetime | None = None
    ended: datetime | None = None
    failure_reason: str = ""
    artifacts: str = ""
    digest: str = ""
    derived_input_config: str = ""
    runner_pid: int | None = None
    runner_started: float | None = None
    heartbeat: float | None = None

    def to_row(self) -> dict[str, Any]:
        """The columns of the jobs table."""
        return to_columns({name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> JobRecord:
        """A record from the columns of the jobs table."""
        values = dict(row)
        for name in _TIMES:
            values[name] = None if values[name] is None else from_micros(values[name])
        values.update(status=JobStatus(values["status"]), request=json.loads(values["request"]))
        return cls(**values)


_TIMES = ("created", "modified", "claimed", "started", "ended")


def storable(text: str) -> str:
    """`text` as every database takes it: without NUL and lone surrogates, which logs of a crash may hold."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def to_columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` of record fields in the form of the jobs table."""
    columns: dict[str, Any] = dict(values)
    for name, value in values.items():
        if isinstance(value, str):
            columns[name] = storable(value)
    for name in _TIMES:
        if isinstance(columns.get(name), datetime):
            columns[name] = to_micros(columns[name])
    if "request" in columns:
        columns["request"] = json.dumps(columns["request"], sort_keys=True)
    if "status" in columns:
        columns["status"] = str(columns["status"])
    return columns
