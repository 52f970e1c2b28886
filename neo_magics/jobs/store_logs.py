"""Log streams and events in the store. Times are milliseconds since the epoch, as in CloudWatch.

Within a stream, events are read in the order in which they were written, so that a reader who follows a
stream by tokens sees every event once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, insert, or_, select, update

from neo_magics.jobs.database import Database
from neo_magics.jobs.record import now_millis, storable
from neo_magics.jobs.schema import log_events, log_streams


@dataclass(frozen=True)
class LogEvent:
    """One line of a stream; `id` orders the events of the whole store by their arrival."""

    id: int
    stream: str
    timestamp: int
    ingested: int
    message: str


@dataclass(frozen=True)
class LogStream:
    """A stream's name and figures; the event times are None while it is empty."""

    name: str
    created: int
    first_event: int | None
    last_event: int | None
    ingested: int | None
    bytes: int


@dataclass(frozen=True)
class Span:
    """Which events: `start` ≤ timestamp < `end` (milliseconds), `after` and `before` exclude an id."""

    start: int | None = None
    end: int | None = None
    after: int | None = None
    before: int | None = None


class LogStore:
    """Appending and reading. Reading an unknown stream gives nothing; `has_stream` tells."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, stream: str, messages: Sequence[tuple[int, str]]) -> None:
        """Add events (milliseconds, text) in this order; the stream is made if it is not there."""
        with self._database.write() as connection:
            self.write(connection, stream, messages)

    @staticmethod
    def write(connection: Connection, stream: str, messages: Sequence[tuple[int, str]]) -> None:
        """`append` within the caller's transaction."""
        moment = now_millis()
        _ensure_stream(connection, stream, moment)
        lines = [(when, storable(text) or " ") for when, text in messages]
        rows = [
            {"stream": stream, "timestamp": when, "ingested": moment, "message": text} for when, text in lines
        ]
        if rows:
            connection.execute(insert(log_events), rows)
            _count_in(connection, stream, lines, moment)

    def has_stream(self, stream: str) -> bool:
        """Whether there is such a stream."""
        with self._database.read() as connection:
            found = select(log_streams.c.name).where(log_streams.c.name == stream)
            return connection.execute(found).scalar() is not None

    def head(self, stream: str, span: Span, limit: int) -> list[LogEvent]:
        """The first `limit` events of `span`, oldest first."""
        statement = _events([log_events.c.stream == stream, *_within(span)])
        return self._fetch(statement.order_by(log_events.c.id).limit(limit))

    def tail(self, stream: str, span: Span, limit: int) -> list[LogEvent]:
        """The last `limit` events of `span`, oldest first."""
        statement = _events([log_events.c.stream == stream, *_within(span)])
        return self._fetch(statement.order_by(log_events.c.id.desc()).limit(limit))[::-1]

    def search(
        self, streams: Collection[str] | None, span: Span, place: tuple[int, int] | None, limit: int
    ) -> list[LogEvent]:
        """Up to `limit` events of `streams` (None: all) by time, after `place` (timestamp, id)."""
        conditions = _within(span)
        if streams is not None:
            conditions.append(log_events.c.stream.in_(list(streams)))
        if place is not None:
            when, identity = place
            same = (log_events.c.timestamp == when) & (log_events.c.id > identity)
            conditions.append(or_(log_events.c.timestamp > when, same))
        order = (log_events.c.timestamp, log_events.c.id)
        return self._fetch(_events(conditions).order_by(*order).limit(limit))

    def streams(
        self, prefix: str, by_event: bool, descending: bool, offset: int, limit: int
    ) -> list[LogStream]:
        """Up to `limit` streams whose name begins with `prefix`, by name or by their last event."""
        keys = [log_streams.c.last_event, log_streams.c.name] if by_event else [log_streams.c.name]
        order = [key.desc().nulls_last() if descending else key.asc().nulls_first() for key in keys]
        statement = select(log_streams).order_by(*order).offset(offset).limit(limit)
        if prefix:
            statement = statement.where(func.substr(log_streams.c.name, 1, len(prefix)) == prefix)
        with self._database.read() as connection:
            return [LogStream(**row) for row in connection.execute(statement).mappings()]

    def totals(self) -> tuple[int | None, int]:
        """When the first stream was made (None if there is none), and the bytes of all events."""
        statement = select(func.min(log_streams.c.created), func.sum(log_streams.c.bytes))
        with self._database.read() as connection:
            created, size = connection.execute(statement).one()
            return created, int(size or 0)

    def _fetch(self, statement: Select[Any]) -> list[LogEvent]:
        with self._database.read() as connection:
            return [LogEvent(**row) for row in connection.execute(statement).mappings()]


def _events(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    table = log_events.c
    return select(table.id, table.stream, table.timestamp, table.ingested, table.message).where(*conditions)


def _within(span: Span) -> list[ColumnElement[bool]]:
    table = log_events.c
    conditions: list[ColumnElement[bool]] = []
    if span.start is not None:
        conditions.append(table.timestamp >= span.start)
    if span.end is not None:
        conditions.append(table.timestamp < span.end)
    if span.after is not None:
        conditions.append(table.id > span.after)
    if span.before is not None:
        conditions.append(table.id < span.before)
    return conditions


def _ensure_stream(connection: Connection, stream: str, moment: int) -> None:
    found = select(log_streams.c.name).where(log_streams.c.name == stream)
    if connection.execute(found).scalar() is None:
        connection.execute(insert(log_streams).values(name=stream, created=moment, bytes=0))


def _count_in(connection: Connection, stream: str, messages: Sequence[tuple[int, str]], moment: int) -> None:
    times = [when for when, _text in messages]
    row = log_streams.c
    values = {
        # min and max of two values have different names in SQLite and PostgreSQL; CASE has not.
        "first_event": case((row.first_event < min(times), row.first_event), else_=min(times)),
        "last_event": case((row.last_event > max(times), row.last_event), else_=max(times)),
        "ingested": moment,
        "bytes": row.bytes + sum(len(text.encode()) for _when, text in messages),
    }
    connection.execute(update(log_streams).where(row.name == stream).values(values))
