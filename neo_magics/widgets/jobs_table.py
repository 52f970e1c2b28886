"""The list of jobs as a table."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from neo_magics.measurement import saved_verdict
from neo_magics.widgets.job_html import WORDS
from neo_magics.widgets.style import seconds
from neo_magics.widgets.table import Table

if TYPE_CHECKING:
    from neo_magics.client import Backend

_PAGE = 100


def jobs_table(backend: Backend, count: int, filters: Mapping[str, Any] | None = None) -> Table:
    """The newest `count` jobs that pass `filters` (arguments of ListCompilationJobs)."""
    with backend.translated():
        pages = backend.sagemaker.get_paginator("list_compilation_jobs").paginate(
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"MaxItems": count, "PageSize": min(count, _PAGE)},
            **(filters or {}),
        )
        found = [summary for page in pages for summary in page["CompilationJobSummaries"]]
    rows = [_row(backend, summary) for summary in found]
    return Table(
        ("job", "status", "target", "created", "took", "measured"),
        rows,
        empty="No jobs." if filters else "No jobs yet: %%compile files one.",
    )


def _row(backend: Backend, summary: Mapping[str, Any]) -> tuple[str, ...]:
    word, mark, _accent = WORDS.get(
        summary["CompilationJobStatus"], (summary["CompilationJobStatus"], "", "")
    )
    parts = [summary.get(f"CompilationTarget{part}") for part in ("Device", "PlatformOs", "PlatformArch")]
    start, end = summary.get("CompilationStartTime"), summary.get("CompilationEndTime")
    name = summary["CompilationJobName"]
    return (
        name,
        f"{mark} {word}",
        "_".join(filter(None, parts)),
        f"{age(summary['CreationTime'])} ago",
        seconds((end - start).total_seconds()) if start and end else "",
        saved_verdict(backend.settings, name),
    )


def age(when: datetime, now: datetime | None = None) -> str:
    """How long ago `when` was, in one unit: 5 s, 12 min, 3 h, 4 d."""
    passed = ((now or datetime.now(UTC)) - when).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if passed >= length:
            return f"{passed // length:.0f} {unit}"
    return f"{max(0.0, passed):.0f} s"
