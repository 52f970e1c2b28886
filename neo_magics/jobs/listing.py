"""Listing jobs: filters, sort keys and pages.

A page's token holds the sort key and name of its last job, so a page starts after that job whatever has
been added or deleted meanwhile, and the database finds the place by index.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, tuple_

from neo_magics.api.states import JobStatus
from neo_magics.errors import ApiError
from neo_magics.jobs.record import JobRecord, to_micros
from neo_magics.jobs.schema import jobs
from neo_magics.jobs.tokens import InvalidTokenError, pack_token, unpack_token

_SORT_COLUMNS = {"Name": jobs.c.name, "CreationTime": jobs.c.created, "Status": jobs.c.status}


@dataclass(frozen=True)
class Listing:
    """A question to the store; the members are ListCompilationJobs' own. Times exclude their bound."""

    name_contains: str | None = None
    status: JobStatus | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    modified_after: datetime | None = None
    modified_before: datetime | None = None
    sort_by: str = "CreationTime"
    descending: bool = False
    max_results: int = 10
    token: str | None = None


@dataclass(frozen=True)
class Page:
    """The jobs of one page, and the token of the next, None at the end."""

    records: list[JobRecord]
    next_token: str | None


def list_page(connection: Connection, listing: Listing) -> Page:
    """One page of `listing`. Raises ApiError ValidationException for a foreign or damaged token."""
    rows = connection.execute(page_statement(listing)).mappings().all()
    records = [JobRecord.from_row(dict(row)) for row in rows[: listing.max_results]]
    more = len(rows) > listing.max_results
    return Page(records, _token(listing, rows[listing.max_results - 1]) if more else None)


def page_statement(listing: Listing) -> Select[Any]:
    """The query of a page: one row more than it holds, which tells whether there is another page."""
    column = _SORT_COLUMNS[listing.sort_by]
    conditions = _filters(listing)
    if listing.token is not None:
        conditions.append(_after(column, listing))
    order = [key.desc() if listing.descending else key.asc() for key in (column, jobs.c.name)]
    return select(jobs).where(*conditions).order_by(*order).limit(listing.max_results + 1)


def _filters(listing: Listing) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if listing.name_contains:
        # LIKE ignores case in SQLite and not in PostgreSQL; this is the same everywhere.
        conditions.append(func.replace(jobs.c.name, listing.name_contains, "") != jobs.c.name)
    if listing.status is not None:
        conditions.append(jobs.c.status == str(listing.status))
    bounds = [
        (jobs.c.created, listing.created_after, listing.created_before),
        (jobs.c.modified, listing.modified_after, listing.modified_before),
    ]
    for column, after, before in bounds:
        if after is not None:
            conditions.append(column > to_micros(after))
        if before is not None:
            conditions.append(column < to_micros(before))
    return conditions


def _after(column: Any, listing: Listing) -> ColumnElement[bool]:
    # Comparing rows, not "a > x OR (a = x AND …)", lets the index find the place of a deep page.
    key, place = tuple_(column, jobs.c.name), tuple_(*_place(listing))
    return key < place if listing.descending else key > place


def _place(listing: Listing) -> tuple[int | str, str]:
    kind = int if listing.sort_by == "CreationTime" else str
    with suppress(InvalidTokenError):
        question, value, name = unpack_token(listing.token or "")
        if question == _fingerprint(listing) and isinstance(value, kind) and isinstance(name, str):
            return value, name
    raise ApiError(
        "ValidationException",
        "Invalid NextToken: it does not belong to this listing.",
        hint="Send the token of the page before, with the same filters and order.",
    )


def _token(listing: Listing, row: Any) -> str:
    value = row[_SORT_COLUMNS[listing.sort_by].name]
    return pack_token([_fingerprint(listing), value, row["name"]])


def _fingerprint(listing: Listing) -> str:
    question = repr(replace(listing, token=None, max_results=0))
    return hashlib.blake2b(question.encode(), digest_size=8).hexdigest()
