"""A compilation job in Python's hands: wait for it, read it, stop it, load and measure what it made.

A `Job` is a name and a backend, nothing more: it can be opened again from another kernel, and everything
it says is read from the API and the job's log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api.events import Event, ReportEvent, StageEvent
from neo_magics.api.plain import plain
from neo_magics.api.states import TERMINAL, JobStatus
from neo_magics.errors import ApiError, JobFailedError, NeoMagicsError, UsageError
from neo_magics.job_log import LogReader

if TYPE_CHECKING:
    from neo_magics.client import Backend
    from neo_magics.runtime import CompiledModel
    from neo_magics.runtime.compare import Comparison
    from neo_magics.runtime.profile import Profile

POLL_SECONDS = 0.2
SETTLE_SECONDS = 120.0  # for a measurement; it is bounded itself


class StoppedWaiting(KeyboardInterrupt):
    """Ctrl-C ended the waiting, not the job. `name` is the job's."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Stopped waiting; the job {name} goes on.")
        self.name = name

    def _render_traceback_(self) -> list[str]:
        return [
            str(self),
            f"  → Come back with: job = neo_magics.Job.open({self.name!r}), or %neo show {self.name}",
        ]


class StoppedMeasuring(KeyboardInterrupt):
    """Ctrl-C ended a comparison or a profile; its processes are gone, and nothing was kept."""

    def _render_traceback_(self) -> list[str]:
        return ["Stopped measuring; nothing was kept.", "  → seconds=… measures for a shorter time."]


class Job:
    """One CompilationJob, by name, on a backend."""

    def __init__(self, name: str, backend: Backend) -> None:
        self.name = name
        self.backend = backend
        # Set by the panels that follow this job once they are done, measurement included.
        self.followers: list[threading.Event] = []

    @classmethod
    def open(cls, name: str, backend: str | Backend | None = None) -> Job:
        """The existing job `name`.

        Raises:
            UsageError: there is no job of that name on the backend.
        """
        job = cls(name, resolve_backend(backend))
        job.describe()
        return job

    @classmethod
    def open_logged(cls, name: str, backend: str | Backend | None = None) -> Job:
        """The job `name`, also one that was deleted whose log is still there.

        Raises:
            UsageError: there is neither.
        """
        where = resolve_backend(backend)
        try:
            return cls.open(name, where)
        except UsageError:
            job = cls(name, where)
            if not job.logs():
                raise
            return job

    @property
    def status(self) -> JobStatus:
        """The job's status now."""
        return JobStatus(self.describe()["CompilationJobStatus"])

    def describe(self) -> dict[str, Any]:
        """DescribeCompilationJob's answer, as boto3 gives it."""
        answer: dict[str, Any] = self._call("describe_compilation_job")
        return answer

    def wait(self, timeout: float | None = None, *, progress: Callable[[Job], None] | None = None) -> Job:
        """Wait for COMPLETED, at most `timeout` seconds; `progress` is called between looks.

        Where a panel of this notebook follows the job, its measurement is waited for too: what the next
        cell computes would disturb it.

        Raises:
            JobFailedError: the job ended otherwise; the message holds its FailureReason.
            TimeoutError: it has not ended yet; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while (answer := self.describe())["CompilationJobStatus"] not in TERMINAL:
                if end is not None and time.monotonic() > end:
                    raise TimeoutError(f"{self.name} has not ended after {timeout} s; it goes on.")
                if progress:
                    progress(self)
                time.sleep(POLL_SECONDS)
            self._settle()
        except KeyboardInterrupt as interrupt:
            raise StoppedWaiting(self.name) from interrupt
        self._check(answer)
        return self

    def _settle(self) -> None:
        """Wait for the panels that follow this job."""
        for follower in self.followers:
            follower.wait(SETTLE_SECONDS)

    def _check(self, answer: dict[str, Any]) -> None:
        status = answer["CompilationJobStatus"]
        if status == JobStatus.COMPLETED:
            return
        reason = plain(answer.get("FailureReason") or "no reason was given")
        if status == JobStatus.STOPPED:
            message, hint = f"{self.name} was stopped before it was done.", "Compile again to start over."
        elif status not in TERMINAL:
            message, hint = f"{self.name} has not ended yet, it is {status}.", "job.wait() waits for its end."
        else:
            message, hint = f"{self.name} is {status}: {reason}", f"The log: %neo logs {self.name}"
        raise JobFailedError(
            message, hint=hint, name=self.name, status=str(status), reason=reason, stage=self._failed_stage()
        )

    def _failed_stage(self) -> str:
        stages = [e for _when, e in self.events() if isinstance(e, StageEvent)]
        return next((e.stage for e in reversed(stages) if e.state == "failed"), "")

    def logs(self) -> list[str]:
        """The log's lines, oldest first, as a person reads them."""
        return [event.sentence() for _when, event in self.events() if not isinstance(event, ReportEvent)]

    def events(self) -> list[tuple[datetime, Event]]:
        """What the log says so far: stages, progress, the report and plain lines, with their times (UTC)."""
        return list(LogReader(self))

    def stop(self) -> None:
        """Ask the job to stop; it is STOPPED within a few seconds."""
        self._call("stop_compilation_job")

    def delete(self) -> None:
        """Delete the job's record; it must have ended. Its artifact and its log stay."""
        self._call("delete_compilation_job")

    @property
    def report(self) -> dict[str, Any]:
        """What the job reported at its end: verification, sizes, seconds by stage. Empty before that."""
        reports = [event.report for _when, event in self.events() if isinstance(event, ReportEvent)]
        return reports[-1] if reports else {}

    @property
    def files(self) -> JobFiles:
        """The job's objects, fetched to this machine when asked for."""
        return JobFiles(self)

    @property
    def artifact(self) -> Path:
        """The compiled archive, downloaded once.

        Raises:
            JobFailedError: the job is not COMPLETED.
        """
        return self.files.artifact

    def load(self, *, threads: int | None = None) -> CompiledModel:
        """The compiled model, ready to be called: `job.load()(x)`."""
        from neo_magics.runtime import load

        return load(self.artifact, threads=threads)

    def compare(self, x: Any = None, labels: Any = None, **options: Any) -> Comparison:
        """Measure the source model and the compiled one now; see `neo_magics.measurement.compare_job`."""
        from neo_magics.measurement import compare_job

        with self._measuring():
            return compare_job(self, x, labels, **options)

    def profile(self, x: Any = None, **options: Any) -> Profile:
        """Time each kernel of the compiled model now; see `neo_magics.measurement.profile_job`."""
        from neo_magics.measurement import profile_job

        with self._measuring():
            return profile_job(self, x, **options)

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        """A measurement that begins once no panel measures, and may be stopped with Ctrl-C."""
        try:
            self._settle()
            yield
        except KeyboardInterrupt as interrupt:
            raise StoppedMeasuring from interrupt

    @property
    def comparison(self) -> Comparison | None:
        """The latest comparison of this job on this machine, if it was measured."""
        from neo_magics.measurement import read_comparison

        return read_comparison(self)

    def _call(self, operation: str) -> Any:
        try:
            with self.backend.translated():
                return getattr(self.backend.sagemaker, operation)(CompilationJobName=self.name)
        except ApiError as error:
            if error.code != "ResourceNotFound":
                raise
            raise UsageError(f"There is no job {self.name!r}.", hint="%neo jobs lists them.") from error

    def __repr__(self) -> str:
        try:
            return f"<Job {self.name}: {self.status}>"
        except NeoMagicsError as error:  # deleted, or its backend is out of reach
            return f"<Job {self.name}: {error.message}>"


class JobFiles:
    """A job's model archive and artifact on this machine, below home/downloads."""

    def __init__(self, job: Job) -> None:
        self.job = job

    @cached_property
    def description(self) -> dict[str, Any]:
        return self.job.describe()

    @property
    def artifact(self) -> Path:
        status = self.description["CompilationJobStatus"]
        if status != JobStatus.COMPLETED:
            self.job._check(self.description)
        return self.fetch(self.description["ModelArtifacts"]["S3ModelArtifacts"])

    @property
    def source(self) -> Path:
        """The model archive that was compiled."""
        return self.fetch(self.description["InputConfig"]["S3Uri"], "source-")

    def fetch(self, uri: str, prefix: str = "") -> Path:
        """The object at `uri` as a local file, downloaded if it is not there yet."""
        # The name alone is not enough: a deleted job's name may be used again.
        created = self.description["CreationTime"]
        folder = self.job.backend.settings.folder("downloads") / self.job.name / f"{created:%Y%m%dT%H%M%S.%f}"
        path = folder / f"{prefix}{uri.rsplit('/', 1)[-1]}"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self.job.backend.store.get(uri, path)
        return path


def resolve_backend(given: str | Backend | None) -> Backend:
    """`given`, or a new backend of that name ("local", "sagemaker", a URL; None: the environment's)."""
    from neo_magics.client import Backend
    from neo_magics.settings import Settings

    return given if isinstance(given, Backend) else Backend(Settings.from_environment(backend=given))
