"""Everything that the handlers answer with, for one backend, as plain JSON values.

The methods block (a database, a network): the handlers run them in threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api.events import LOG_GROUP, ReportEvent, parse
from neo_magics.errors import ApiError, ArtifactError, StorageError
from neo_magics.job import Job
from neo_magics.server import query
from neo_magics.server.archive import contents
from neo_magics.server.rows import JobRow, RowReader
from neo_magics.widgets.comparison_html import comparison_card
from neo_magics.widgets.comparison_view import comparison_view
from neo_magics.widgets.job_panel import snapshot
from neo_magics.widgets.profile_html import profile_card
from neo_magics.widgets.request_text import request_of, request_texts

if TYPE_CHECKING:
    from neo_magics.client import Backend


class Desk:
    """The jobs of one backend."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._rows = RowReader(backend)

    def jobs(self, asked: Mapping[str, str]) -> dict[str, Any]:
        """One page of the list, newest first unless `asked` says otherwise."""
        members = {"SortBy": "CreationTime", "SortOrder": "Descending"} | query.listing(asked)
        with self.backend.translated():
            page = self.backend.sagemaker.list_compilation_jobs(**members)
        rows: list[JobRow] = self._rows.rows(page["CompilationJobSummaries"])
        return {"jobs": rows, "next": page.get("NextToken", "")}

    def job(self, name: str) -> dict[str, Any]:
        """The job's row, and the request that created it, also in the tongues of notebook and shell."""
        description = self._described(name)
        request, backend = request_of(description), self.backend.name
        row = self._rows.row(description)
        return {"job": row, "request": request, "texts": request_texts(request, backend), "backend": backend}

    def panel(self, name: str) -> dict[str, Any]:
        """The panel that a notebook would show, as HTML and as plain text."""
        self._described(name)
        html, text = snapshot(Job(name, self.backend))
        return {"html": html, "text": text}

    def log(self, name: str, token: str) -> dict[str, Any]:
        """What was logged after `token` (from the start without one), and the next token."""
        description = self._described(name)
        request: dict[str, Any] = {
            "logGroupName": LOG_GROUP,
            "logStreamName": name,
            "startFromHead": True,
            # A deleted job's name may be used again: what is older is another's.
            "startTime": int(description["CreationTime"].timestamp() * 1000) - 1,
            **({"nextToken": token} if token else {}),
        }
        try:
            with self.backend.translated():
                page = self.backend.logs.get_log_events(**request)
        except ApiError as error:
            if error.code != "ResourceNotFoundException":
                raise
            return {"lines": [], "token": ""}  # nothing was logged yet
        parsed = [(event["timestamp"], parse(event["message"])) for event in page["events"]]
        lines = [[when, event.sentence()] for when, event in parsed if not isinstance(event, ReportEvent)]
        return {"lines": lines, "token": page["nextForwardToken"]}

    def stop(self, name: str) -> dict[str, Any]:
        """Ask the job to stop; the answer is the job after that."""
        self._described(name)
        Job(name, self.backend).stop()
        return self.job(name)

    def delete(self, name: str) -> None:
        """Delete the record of a job that has ended."""
        self._described(name)
        Job(name, self.backend).delete()

    def report(self, name: str) -> dict[str, Any]:
        """What the job reported at its end; empty before that."""
        self._described(name)
        return {"report": Job(name, self.backend).report}

    def comparison(self, name: str) -> dict[str, Any]:
        """The saved comparison with its picture; null and "" where none was measured here."""
        self._described(name)
        comparison = Job(name, self.backend).comparison
        if comparison is None:
            return {"comparison": None, "html": ""}
        return {"comparison": comparison.to_dict(), "html": comparison_card(comparison_view(comparison))}

    def profile(self, name: str) -> dict[str, Any]:
        """Seconds by stage of the compilation, from the job's report."""
        return {"stages": self.report(name)["report"].get("stages", {})}

    def time_kernels(self, name: str) -> dict[str, Any]:
        """Time each kernel of the compiled model on the server's machine now; takes some seconds."""
        self.archive(name)
        return {"html": profile_card(Job(name, self.backend).profile())}

    def artifact(self, name: str) -> dict[str, Any]:
        """The compiled archive: where it is, its files and its manifest."""
        path = self.archive(name)
        uri = self._described(name)["ModelArtifacts"]["S3ModelArtifacts"]
        return {"uri": uri, "size": path.stat().st_size, **contents(path)}

    def archive(self, name: str) -> Path:
        """The compiled archive on the server's machine.

        Raises:
            ArtifactError: it is no longer where the job has put it.
        """
        self._described(name)
        try:
            return Job(name, self.backend).artifact
        except StorageError as error:
            raise ArtifactError(
                f"The compiled archive of {name} cannot be fetched. {error.message}",
                hint="If it was deleted, compile the model again.",
            ) from error

    def _described(self, name: str) -> dict[str, Any]:
        with self.backend.translated():
            answer: dict[str, Any] = self.backend.sagemaker.describe_compilation_job(CompilationJobName=name)
        return answer
