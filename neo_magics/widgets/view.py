"""What a job panel shows, as plain data: folded from DescribeCompilationJob and the job's log events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neo_magics.api.events import STAGES, Event, ProgressEvent, ReportEvent, StageEvent
from neo_magics.api.plain import plain
from neo_magics.api.states import TERMINAL, JobStatus
from neo_magics.errors import NeoMagicsError
from neo_magics.widgets.failure import Failure, failure

DELETED = "DELETED"  # in the place of a status that the API no longer has
LOG_LINES = 400  # kept for the frozen panel


@dataclass(frozen=True)
class StageView:
    """A step: `state` is waiting, started, done, cached or failed; `seconds` its wall time."""

    name: str
    state: str = "waiting"
    seconds: float = 0.0
    detail: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class LogState:
    """What the log events so far add up to."""

    stages: tuple[StageView, ...] = tuple(StageView(name) for name in STAGES)
    progress: ProgressEvent | None = None
    lines: tuple[str, ...] = ()
    report: Mapping[str, Any] = field(default_factory=dict)

    def add(self, events: Iterable[tuple[datetime, Event]]) -> LogState:
        """The state after `events`, which come in the order of the log."""
        state = self
        for when, event in events:
            state = state._with(when, event)
        return state

    def _with(self, when: datetime, event: Event) -> LogState:
        if isinstance(event, StageEvent):
            return self._stage(when, event)
        if isinstance(event, ProgressEvent):
            return replace(self, progress=event)
        if isinstance(event, ReportEvent):
            return replace(self, report=event.report)
        return replace(self, lines=(*self.lines, _private(event.sentence()))[-LOG_LINES:])

    def _stage(self, when: datetime, event: StageEvent) -> LogState:
        since = when if event.state == "started" else None
        new = StageView(event.stage, event.state, event.seconds, event.detail, since)
        known = [stage.name for stage in self.stages]
        ended = sum(stage.state != "waiting" for stage in self.stages)  # a stage that not all jobs have
        added = (*self.stages[:ended], StageView(event.stage), *self.stages[ended:])
        stages = self.stages if event.stage in known else added
        progress = None if self.progress and self.progress.stage == event.stage else self.progress
        return replace(
            self,
            stages=tuple(new if stage.name == event.stage else stage for stage in stages),
            progress=progress,
            lines=(*self.lines, event.sentence())[-LOG_LINES:],
        )


@dataclass(frozen=True)
class JobView:
    """Everything that a job panel shows."""

    name: str
    status: str
    target: str
    framework: str
    log: LogState
    elapsed: float  # seconds since the job was created, until it ended
    reason: str = ""
    artifact: str = ""
    runs_here: bool = True  # whether the target's code runs on this machine
    ran: float = 0.0  # seconds since a runner took the job, until it ended
    left: str = ""  # how long it may still take, in words
    texts: Mapping[str, str] = field(default_factory=dict)  # the request, by tongue

    @property
    def failure(self) -> Failure:
        """Why the job failed."""
        return failure(self.reason, self.log.lines, self.failed_stage)

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL or self.status == DELETED

    def deleted(self) -> JobView:
        """This job after its record was deleted: as it was last seen, and nothing of it runs."""
        stopped = tuple(replace(s, state="stopped") if s.state == "started" else s for s in self.log.stages)
        return replace(self, status=DELETED, log=replace(self.log, stages=stopped))

    @property
    def failed_stage(self) -> str:
        return next((s.name for s in self.log.stages if s.state == "failed"), "")

    @property
    def cached(self) -> bool:
        return any(stage.state == "cached" for stage in self.log.stages)

    @property
    def current(self) -> StageView | None:
        return next((stage for stage in reversed(self.log.stages) if stage.state == "started"), None)


def job_view(description: Mapping[str, Any], log: LogState, now: datetime | None = None) -> JobView:
    """The view of a job from DescribeCompilationJob's answer and its log."""
    now = now or datetime.now(UTC)
    config = description.get("InputConfig", {})
    artifacts = description.get("ModelArtifacts") or {}
    end = description.get("CompilationEndTime") if _is_terminal(description) else None
    created, started = description.get("CreationTime", now), description.get("CompilationStartTime")
    return JobView(
        name=description["CompilationJobName"],
        status=str(description["CompilationJobStatus"]),
        target=target_text(description.get("OutputConfig", {})),
        framework=" ".join(filter(None, (config.get("Framework"), config.get("FrameworkVersion")))),
        log=_settled(log, description, now),
        elapsed=max(0.0, ((end or now) - created).total_seconds()),
        ran=max(0.0, ((end or now) - started).total_seconds()) if started else 0.0,
        reason=plain(description.get("FailureReason") or ""),
        artifact=artifacts.get("S3ModelArtifacts") or "",
        runs_here=_runs_here(description) if artifacts else True,
    )


def _runs_here(description: Mapping[str, Any]) -> bool:
    from neo_magics.measurement import check_runs_here

    try:
        check_runs_here(description["OutputConfig"])
    except NeoMagicsError:
        return False
    return True


def target_text(output: Mapping[str, Any]) -> str:
    """`ml_c5`, or `LINUX_X86_64 (this CPU)` for a platform compiled for the service's own machine."""
    platform = output.get("TargetPlatform") or {}
    parts = (platform.get("Os"), platform.get("Arch"), platform.get("Accelerator"))
    name = output.get("TargetDevice") or "_".join(filter(None, parts))
    return f"{name} (this CPU)" if _mcpu(output) == "native" else name


def _mcpu(output: Mapping[str, Any]) -> str:
    try:
        options = json.loads(output.get("CompilerOptions") or "{}")
    except ValueError:
        return ""
    return str(options.get("mcpu", "")) if isinstance(options, dict) else ""


def _is_terminal(description: Mapping[str, Any]) -> bool:
    return description["CompilationJobStatus"] in TERMINAL


def _settled(log: LogState, description: Mapping[str, Any], now: datetime) -> LogState:
    """Running stages with their seconds so far; none runs after the job's end, and a stop is no failure."""
    status = description["CompilationJobStatus"]
    failed = "failed" if status == JobStatus.FAILED else "stopped"
    running = failed if status in TERMINAL else "started"
    return replace(log, stages=tuple(_so_far(stage, running, status, now) for stage in log.stages))


def _so_far(stage: StageView, running: str, status: str, now: datetime) -> StageView:
    if stage.state == "failed" and status == JobStatus.STOPPED:
        return replace(stage, state="stopped")
    if stage.state != "started" or stage.since is None:
        return stage
    return replace(stage, seconds=max(0.0, (now - stage.since).total_seconds()), state=running)


def _private(text: str) -> str:
    """`text` without the user's name: a notebook with a frozen panel is made to be shared."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def tail(lines: Sequence[str], count: int) -> list[str]:
    """The last `count` lines, long ones cut in the middle of nowhere but marked."""
    return [line if len(line) <= 200 else line[:199] + "…" for line in lines[-count:]]
