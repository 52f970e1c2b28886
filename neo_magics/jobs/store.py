"""The job store: every change of a job is one short transaction, and a compare-and-set where it matters.

Several processes work on one store: kernels, runners, the HTTP server. A status changes only if it is
still what the writer believes it to be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from neo_magics.api.states import ACTIVE, TERMINAL, JobStatus, sources
from neo_magics.errors import ApiError
from neo_magics.jobs.database import BUSY_SECONDS, Database
from neo_magics.jobs.listing import Listing, Page, list_page
from neo_magics.jobs.record import JobRecord, now, now_millis, to_columns, to_micros
from neo_magics.jobs.schema import jobs, tags
from neo_magics.jobs.store_logs import LogEvent, LogStore, Span
from neo_magics.jobs.store_tags import TagStore

_QUEUED = (jobs.c.status == str(JobStatus.STARTING)) & jobs.c.claimed.is_(None)
_RUNNING = jobs.c.claimed.is_not(None) & jobs.c.status.in_([str(status) for status in ACTIVE])

# Columns that `change` and `assign` may set; names, times and the request are not for writers.
_WRITABLE = frozenset(
    {"failure_reason", "artifacts", "digest", "derived_input_config"}
    | {"runner_pid", "runner_started", "heartbeat"}
)


class JobStore:
    """The jobs, tags and log events at an SQLAlchemy URL.

    Every method raises ApiError ServiceUnavailable if another process holds the database for longer than
    `busy_seconds`, and BackendError if it cannot be used at all.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.database = Database(url, busy_seconds)
        self.logs = LogStore(self.database)
        self.tags = TagStore(self.database)

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()

    def insert(
        self, record: JobRecord, tag_values: Mapping[str, str] | None = None, max_pending: int | None = None
    ) -> None:
        """Add a job, its tags and the first line of its log.

        Raises ApiError ResourceInUse if the name exists, ResourceLimitExceeded if `max_pending` jobs
        already wait.
        """
        with self.database.write() as connection:
            if _first(connection, select(jobs.c.arn).where(jobs.c.name == record.name)):
                raise _in_use(record)
            if max_pending is not None:
                _check_limit(connection, max_pending)
            try:
                connection.execute(insert(jobs).values(record.to_row()))
            except IntegrityError as error:
                raise _in_use(record) from error
            self.tags.write(connection, record.name, tag_values or {})
            self.logs.write(connection, record.name, [(now_millis(), f"Job {record.name} is queued.")])

    def get(self, name: str) -> JobRecord:
        """The job. Raises ApiError ResourceNotFound."""
        with self.database.read() as connection:
            return _get(connection, name)

    def change(
        self,
        name: str,
        to: JobStatus,
        *,
        expect: Collection[JobStatus] | None = None,
        queued_only: bool = False,
        **columns: Any,
    ) -> bool:
        """Set the status to `to` if it is one of `expect` (all legal sources by default); False if not.

        `columns` are written in the same step. The start and end times follow from the status. Raises
        ValueError for a transition that is never legal.
        """
        expected = sources(to) if expect is None else frozenset(expect)
        if not expected or not expected <= sources(to):
            raise ValueError(f"no job may go from {sorted(expected)} to {to}")
        condition = (jobs.c.name == name) & jobs.c.status.in_([str(status) for status in expected])
        if queued_only:
            condition &= jobs.c.claimed.is_(None)
        values = _writable(columns) | _times_of(to) | {"status": str(to)}
        with self.database.write() as connection:
            return connection.execute(update(jobs).where(condition).values(values)).rowcount == 1

    def assign(self, name: str, **columns: Any) -> bool:
        """Write columns of a job without touching its status; False if there is no such job."""
        with self.database.write() as connection:
            statement = update(jobs).where(jobs.c.name == name).values(_writable(columns))
            return connection.execute(statement).rowcount == 1

    def touch(self, name: str, heartbeat: float) -> bool:
        """Record the runner's sign of life (seconds since the epoch); False if there is no such job."""
        return self.assign(name, heartbeat=heartbeat)

    def claim_next(self, limit: int) -> JobRecord | None:
        """Take the oldest queued job, unless `limit` jobs already run; None if there is nothing to take.

        The claimed job stays STARTING, with `claimed` and a first heartbeat, until its runner reports.
        """
        with self.database.read() as connection:
            if not _first(connection, select(jobs.c.name).where(_QUEUED).limit(1)):
                return None
        with self.database.write() as connection:
            if _count(connection, _RUNNING) >= limit:
                return None
            queue = select(jobs.c.name).where(_QUEUED).order_by(jobs.c.created, jobs.c.name).limit(1)
            name = _first(connection, queue)
            if name is None:
                return None
            moment = now()
            values = {"claimed": to_micros(moment), "heartbeat": moment.timestamp()}
            connection.execute(update(jobs).where(jobs.c.name == name).values(values))
            return _get(connection, name)

    def running(self) -> list[JobRecord]:
        """The jobs that were claimed and have not ended, oldest first."""
        return self._records(select(jobs).where(_RUNNING).order_by(jobs.c.created, jobs.c.name))

    def queued(self) -> list[JobRecord]:
        """The jobs that wait, the next one first."""
        return self._records(select(jobs).where(_QUEUED).order_by(jobs.c.created, jobs.c.name))

    def delete(self, name: str) -> None:
        """Remove a job and its tags; the name is free again. Its log events stay.

        Raises ApiError ResourceNotFound, or ValidationException if the job has not ended.
        """
        ended = jobs.c.status.in_([str(status) for status in TERMINAL])
        with self.database.write() as connection:
            record = _get(connection, name)
            if record.status not in TERMINAL:
                raise rejected(record.status, "Stop it first, or wait until it has ended.")
            connection.execute(delete(tags).where(tags.c.job == name))
            connection.execute(delete(jobs).where((jobs.c.name == name) & ended))

    def page(self, listing: Listing) -> Page:
        """One page of jobs. Raises ApiError ValidationException for a token that is not of this listing."""
        with self.database.read() as connection:
            return list_page(connection, listing)

    def append_log(self, name: str, messages: Sequence[tuple[int, str]]) -> None:
        """Add log events (milliseconds since the epoch, text) to the job's stream."""
        self.logs.append(name, messages)

    def read_log(self, name: str, *, after: int | None = None, limit: int = 10_000) -> list[LogEvent]:
        """The job's log events after the event id `after`, oldest first."""
        return self.logs.head(name, Span(after=after), limit)

    def _records(self, statement: Select[Any]) -> list[JobRecord]:
        with self.database.read() as connection:
            return [JobRecord.from_row(dict(row)) for row in connection.execute(statement).mappings()]


def rejected(status: JobStatus, hint: str = "") -> ApiError:
    """AWS's answer to an operation that the job's status does not allow."""
    what = f"The request was rejected because the compilation job is in status {status}."
    return ApiError("ValidationException", what, hint=hint)


def not_found(name: str) -> ApiError:
    return ApiError("ResourceNotFound", f"Could not find compilation job with name: {name}.", name=name)


def _in_use(record: JobRecord) -> ApiError:
    return ApiError(
        "ResourceInUse",
        "Compilation job names must be unique within an AWS account and region, "
        f"and a compilation job with this name already exists ({record.arn}).",
        name=record.name,
    )


def _check_limit(connection: Connection, limit: int) -> None:
    waiting = _count(connection, _QUEUED)
    if waiting >= limit:
        raise ApiError(
            "ResourceLimitExceeded",
            f"The account-level service limit 'Number of pending compilation jobs' is {limit}, with current "
            f"utilization of {waiting} and a request delta of 1.",
            hint="Wait for jobs to start, or raise NEO_MAGICS_MAX_PENDING_JOBS.",
        )


def _count(connection: Connection, condition: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(jobs).where(condition)).scalar_one())


def _first(connection: Connection, statement: Select[Any]) -> Any:
    return connection.execute(statement).scalar()


def _get(connection: Connection, name: str) -> JobRecord:
    row = connection.execute(select(jobs).where(jobs.c.name == name)).mappings().first()
    if row is None:
        raise not_found(name)
    return JobRecord.from_row(dict(row))


def _writable(columns: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(columns) - _WRITABLE
    if unknown:
        raise ValueError(f"not columns that may be set: {sorted(unknown)}")
    return to_columns(columns) | {"modified": to_micros(now())} if _is_news(columns) else dict(columns)


def _is_news(columns: Mapping[str, Any]) -> bool:
    # A heartbeat is not a modification in the API's sense.
    return bool(set(columns) - {"heartbeat", "runner_pid", "runner_started"})


def _times_of(to: JobStatus) -> dict[str, Any]:
    moment: datetime = now()
    micros = to_micros(moment)
    times = {"modified": micros}
    if to is JobStatus.INPROGRESS:
        times["started"] = micros
    if to in TERMINAL:
        times["ended"] = micros
    return times
