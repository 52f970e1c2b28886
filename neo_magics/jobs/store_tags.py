"""The tags of jobs in the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, insert, select

from neo_magics.errors import ApiError
from neo_magics.jobs.database import Database
from neo_magics.jobs.schema import jobs, tags

MAX_TAGS = 50


class TagStore:
    """Tags by the resource's ARN; every method raises ApiError ResourceNotFound for an unknown one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, arn: str, values: Mapping[str, str]) -> None:
        """Add tags; a key that exists gets the new value. Raises ApiError beyond 50 tags."""
        with self._database.write() as connection:
            job = _job(connection, arn)
            merged = _of(connection, job) | dict(values)
            if len(merged) > MAX_TAGS:
                raise ApiError(
                    "ValidationException",
                    f"The resource {arn} would have {len(merged)} tags; at most {MAX_TAGS} are allowed.",
                    hint="Delete some tags first.",
                )
            self.write(connection, job, values)

    def list(self, arn: str) -> dict[str, str]:
        """All tags of the resource, ordered by key."""
        with self._database.read() as connection:
            return _of(connection, _job(connection, arn))

    def delete(self, arn: str, keys: Collection[str]) -> None:
        """Remove tags; keys that the resource has not are ignored."""
        with self._database.write() as connection:
            job = _job(connection, arn)
            connection.execute(delete(tags).where(tags.c.job == job, tags.c.key.in_(list(keys))))

    @staticmethod
    def write(connection: Connection, job: str, values: Mapping[str, str]) -> None:
        """Write tags of a job that exists, within the caller's transaction."""
        if values:
            connection.execute(delete(tags).where(tags.c.job == job, tags.c.key.in_(list(values))))
            rows = [{"job": job, "key": key, "value": value} for key, value in values.items()]
            connection.execute(insert(tags), rows)


def _job(connection: Connection, arn: str) -> str:
    name = connection.execute(select(jobs.c.name).where(jobs.c.arn == arn)).scalar()
    if name is None:
        raise ApiError("ResourceNotFound", f"Could not find resource with ARN: {arn}.", arn=arn)
    return str(name)


def _of(connection: Connection, job: str) -> dict[str, str]:
    statement = select(tags.c.key, tags.c.value).where(tags.c.job == job).order_by(tags.c.key)
    return {row.key: row.value for row in connection.execute(statement)}
