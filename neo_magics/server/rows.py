"""A job as one row of the sidebar's list."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from neo_magics.api.states import TERMINAL
from neo_magics.errors import ApiError
from neo_magics.job import Job
from neo_magics.job_log import LogReader
from neo_magics.server.latencies import LatencyReader
from neo_magics.widgets.view import JobView, LogState, job_view

if TYPE_CHECKING:
    from neo_magics.client import Backend

_REMEMBERED = 2_000  # ended jobs whose description is kept: it does not change any more


class Progress(TypedDict):
    """Counted work of the running stage."""

    done: int
    total: int
    unit: str


class JobRow(TypedDict):
    """What a row shows. Latencies are medians in ms; `elapsed` seconds until now or the job's end."""

    name: str
    status: str
    framework: str
    target: str
    created: str
    modified: str
    elapsed: float
    stage: str
    progress: Progress | None
    reason: str
    before: float | None
    after: float | None
    verdict: str


class RowReader:
    """Makes rows of ListCompilationJobs' summaries. Ended jobs are described once; logs are read on."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._ended: OrderedDict[tuple[str, str], JobView] = OrderedDict()
        self._logs: dict[str, tuple[LogReader, LogState]] = {}
        self._latencies = LatencyReader(backend.settings)

    def rows(self, summaries: Iterable[Mapping[str, Any]]) -> list[JobRow]:
        """A row for each summary whose job is still there."""
        return [row for summary in summaries if (row := self._row(summary)) is not None]

    def row(self, description: Mapping[str, Any]) -> JobRow:
        """The row of a described job."""
        return self._filled(description, self._view(description))

    def _row(self, summary: Mapping[str, Any]) -> JobRow | None:
        key = (summary["CompilationJobName"], summary["CreationTime"].isoformat())
        if key in self._ended:
            self._ended.move_to_end(key)
            return self._filled(summary, self._ended[key])
        try:
            with self._backend.translated():
                description = self._backend.sagemaker.describe_compilation_job(CompilationJobName=key[0])
        except ApiError as error:
            if error.code == "ResourceNotFound":
                return None  # deleted since it was listed
            raise
        view = self._view(description)
        if view.ended:
            self._remember(key, view)
        return self._filled(summary, view)

    def _view(self, description: Mapping[str, Any]) -> JobView:
        name = description["CompilationJobName"]
        if description["CompilationJobStatus"] in TERMINAL:
            self._logs.pop(name, None)
            return job_view(description, LogState())
        reader, state = self._logs.get(name) or (LogReader(Job(name, self._backend)), LogState())
        state = state.add(reader)
        self._logs[name] = (reader, state)
        return job_view(description, state)

    def _remember(self, key: tuple[str, str], view: JobView) -> None:
        self._ended[key] = view
        while len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)

    def _filled(self, summary: Mapping[str, Any], view: JobView) -> JobRow:
        measured = self._latencies.read(view.name)
        progress = None if view.ended else view.log.progress
        counts: Progress | None = (
            {"done": progress.done, "total": progress.total, "unit": progress.unit} if progress else None
        )
        return {
            "name": view.name,
            "status": view.status,
            "framework": view.framework,
            "target": view.target,
            "created": summary["CreationTime"].isoformat(),
            "modified": summary["LastModifiedTime"].isoformat(),
            "elapsed": round(view.elapsed, 3),
            "stage": view.current.name if view.current else "",
            "progress": counts,
            "reason": view.reason,
            "before": measured.before if measured else None,
            "after": measured.after if measured else None,
            "verdict": measured.verdict if measured else "",
        }
