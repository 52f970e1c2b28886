"""The store's database: one engine, short transactions, and one readable error when it is busy.

SQLite runs in WAL mode, so readers never wait for the writer. A write transaction takes the write lock
when it begins (BEGIN IMMEDIATE): nothing it has read can change before it commits. PostgreSQL gets the
same guarantee for the few transactions that count before they write from an advisory lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from neo_magics.errors import ApiError, BackendError, NeoMagicsError, ResourceError
from neo_magics.jobs.schema import SCHEMA_VERSION, metadata, schema_info

BUSY_SECONDS = 10.0
_DAMAGED = "Move that file away, and a new store is made; artifacts stay in buckets/."
_UNWRITABLE = "Make its folder writable for you, or choose another NEO_MAGICS_HOME."
# What SQLite says, and what to do then.
_HINTS = {
    "file is not a database": _DAMAGED,
    "malformed": _DAMAGED,
    "readonly database": _UNWRITABLE,
    "unable to open database file": _UNWRITABLE,
    "disk I/O error": "Look at the disk's state and space.",
}
_LOCK_KEY = 0x6E656F  # "neo": the advisory lock's number in PostgreSQL


class Database:
    """An open store at an SQLAlchemy URL; its tables are made on first use.

    Raises BackendError for a URL that cannot be opened or a schema of another version.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self.url = url
        self._busy_seconds = busy_seconds
        self._engine = self._open()
        self._file = self._engine.url.database if self._engine.dialect.name == "sqlite" else None
        self._moving = threading.Lock()
        with self._translated():
            self._settle()

    def close(self) -> None:
        """Give back all connections."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent snapshot."""
        with self._translated():
            self._follow()
            with self._engine.connect() as connection, connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes, alone; committed at the end, rolled back on an exception."""
        with self._translated():
            self._follow()
            with self._writing() as connection:
                yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect() as connection:
            connection.execution_options(neo_write=True)
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
                yield connection

    def _follow(self) -> None:
        """Open anew where the file was deleted, or another was put in its place: what is written to the old
        one no other process sees, and a job in it would wait for ever."""
        if self._file is None or _identity(self._file) == self._seen:
            return
        with self._moving:
            if _identity(self._file) != self._seen:
                self._engine.dispose()
                _make_folder(self._file)
                self._settle()

    def _settle(self) -> None:
        """Make the tables if there are none, and remember which file it is."""
        if self._version() is None:
            self._create()
        self._check_version()
        self._seen = _identity(self._file)

    def _open(self) -> Engine:
        try:
            url = make_url(self.url)
            if url.get_backend_name() != "sqlite":
                return create_engine(url, pool_pre_ping=True)
            _make_folder(url.database)
            engine = create_engine(url, connect_args={"timeout": self._busy_seconds, "isolation_level": None})
        except (SQLAlchemyError, ImportError, OSError) as error:
            raise BackendError(
                f"The job store {self.url!r} cannot be opened: {error}.",
                hint="Correct NEO_MAGICS_DATABASE_URL or NEO_MAGICS_HOME.",
            ) from error
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _version(self) -> int | None:
        with self._engine.connect() as connection:
            if not inspect(connection).has_table(schema_info.name):
                return None
            version: int | None = connection.execute(select(schema_info.c.version)).scalar()
            return version

    def _create(self) -> None:
        """Make the tables; of several processes that open at once, the first does it."""
        if self._engine.dialect.name == "sqlite":
            self._switch_to_wal()
        with self._writing() as connection:
            metadata.create_all(connection)
            if connection.execute(select(schema_info.c.version)).scalar() is None:
                connection.execute(insert(schema_info).values(version=SCHEMA_VERSION))

    def _switch_to_wal(self) -> None:
        # SQLite's busy timeout does not hold for this statement, so the wait is written out.
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                with self._engine.connect() as connection:
                    # SQLite refuses to change the mode inside a transaction.
                    connection.execution_options(neo_bare=True)
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                return
            except DBAPIError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _check_version(self) -> None:
        version = self._version()
        if version != SCHEMA_VERSION:
            raise BackendError(
                f"The job store {self.url!r} has schema {version}; this release reads {SCHEMA_VERSION}.",
                hint="Use the release that wrote it, or choose another NEO_MAGICS_HOME.",
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error) from error

    def _explain(self, error: DBAPIError) -> NeoMagicsError:
        cause = str(error.orig)
        if _is_busy(error):
            return ApiError(
                "ServiceUnavailable",
                f"The job store is busy: another process has held it for over {self._busy_seconds:g} s.",
                hint="Try again.",
            )
        if "disk is full" in cause:
            return ResourceError(f"The disk of the job store {self.url!r} is full.", hint="Free some space.")
        hint = next((hint for words, hint in _HINTS.items() if words in cause), "")
        return BackendError(f"The job store {self.url!r} cannot be used: {cause.strip()}.", hint=hint)


def _make_folder(file: str | None) -> None:
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _identity(file: str | None) -> tuple[int, int] | None:
    """Which file stands at a path; None where there is none."""
    try:
        found = Path(file).stat() if file else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None


def _is_busy(error: DBAPIError) -> bool:
    return "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # WAL with NORMAL survives the crash of any process; only a power cut can lose the last commits.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("neo_bare"):
        return
    write = options.get("neo_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
