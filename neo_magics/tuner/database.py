"""What was measured, in an SQLite file in the user's home of this project.

A row is one candidate of one workload, measured against the model's first candidate in the same rounds: the
ratio of the two medians, so that a busy or a hot machine weighs on both. Several runners may write at once
(WAL, and patience with a lock). The file is a memory, not a truth: one that cannot be read is set aside with
a warning, and one that cannot be written costs only what it would have remembered.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

FILE = "tuning.db"
VERSION = 1
BUSY_SECONDS = 10.0
WORTH_IT = 0.95  # of the model's choice: below, another candidate takes its place; above, it is noise
_TABLE = """
CREATE TABLE IF NOT EXISTS results (
    target TEXT NOT NULL, versions TEXT NOT NULL, workload TEXT NOT NULL, candidate TEXT NOT NULL,
    ratio REAL, seconds REAL, reference REAL, note TEXT NOT NULL, measured TEXT NOT NULL,
    PRIMARY KEY (target, versions, workload, candidate)
) WITHOUT ROWID
"""
_QUERY = (
    "SELECT workload, candidate, ratio, seconds, reference, note FROM results WHERE target=? AND versions=?"
)


@dataclass(frozen=True)
class Place:
    """Where and with what a result was measured; it counts nowhere else."""

    target: str
    versions: str


@dataclass(frozen=True)
class Result:
    """One candidate: its median over that of the model's choice; None where it does not run (see `note`)."""

    candidate: str
    ratio: float | None
    seconds: float | None = None
    reference: float | None = None
    note: str = ""


Results = dict[str, dict[str, Result]]  # workload → candidate → result


class Database:
    """The file at `path`, made on first use. `warn` hears what is wrong with it; nothing is raised."""

    def __init__(self, path: Path, warn: Callable[[str], None], busy_seconds: float = BUSY_SECONDS) -> None:
        self.path = path
        self._warn = warn
        self._busy_seconds = busy_seconds

    def read(self, place: Place) -> Results:
        """All results of a place; none where there is no file yet."""
        if not self.path.exists():
            return {}
        found: Results = {}

        def read(connection: sqlite3.Connection) -> None:
            for workload, candidate, *rest in connection.execute(_QUERY, (place.target, place.versions)):
                found.setdefault(workload, {})[candidate] = Result(candidate, *rest)

        self._with_connection("read", read)
        return found

    def write(self, place: Place, workload: str, results: Iterable[Result]) -> None:
        """Keep results, in one transaction, in the place of earlier ones of the same candidates."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        rows = [
            (
                place.target,
                place.versions,
                workload,
                r.candidate,
                r.ratio,
                r.seconds,
                r.reference,
                r.note,
                now,
            )
            for r in results
        ]

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("INSERT OR REPLACE INTO results VALUES (?,?,?,?,?,?,?,?,?)", rows)

        self._with_connection("written", write)

    def _with_connection(self, what: str, use: Callable[[sqlite3.Connection], None]) -> None:
        """What SQLite has against the file becomes a warning."""
        before = _identity(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with closing(self._open()) as connection:
                use(connection)
        except (sqlite3.OperationalError, OSError) as error:  # locked, read-only, full: it is not broken
            self._warn(f"The tuning database {self.path} cannot be {what}: {error}.")
        except (sqlite3.DatabaseError, UnreadableError) as error:
            self._set_aside(before, str(error))

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._busy_seconds, isolation_level=None)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the table, or check that it is of this version."""
        connection.execute("PRAGMA synchronous=NORMAL")
        [version] = connection.execute("PRAGMA user_version").fetchone()
        if version == VERSION:
            return
        if version:
            raise UnreadableError(f"it has schema {version}, and this release reads {VERSION}")
        self._switch_to_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite's own patience does not hold for this statement, so the wait is written out."""
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _set_aside(self, before: tuple[int, int] | None, why: str) -> None:
        """Rename the file out of the way, unless another process did it already."""
        if before is None or _identity(self.path) != before:
            return
        aside = self.path.with_name(f"{self.path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}")
        with suppress(FileNotFoundError):
            self.path.rename(aside)
            for ending in ("-wal", "-shm"):
                Path(f"{self.path}{ending}").unlink(missing_ok=True)
            self._warn(f"The tuning database cannot be used ({why}): it was set aside as {aside}.")


class UnreadableError(Exception):
    """A database of another version."""


def best(results: Results) -> dict[str, str]:
    """Workload → the candidate to build, where one is clearly faster than the model's choice."""
    chosen: dict[str, str] = {}
    for workload, candidates in sorted(results.items()):
        timed = [(r.ratio, r.candidate) for r in candidates.values() if r.ratio is not None]
        if timed and min(timed)[0] < WORTH_IT:
            chosen[workload] = min(timed)[1]
    return chosen


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
