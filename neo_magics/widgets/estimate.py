"""How long a job may take: as long as earlier jobs of this name for this target took."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neo_magics.errors import NeoMagicsError
from neo_magics.widgets.style import seconds

if TYPE_CHECKING:
    from neo_magics.job import Job

_LOOKED_AT = 20
_FROM_CACHE = 1.0  # seconds: what ended sooner was not compiled
# What `compilation.job_name` appends, or the number of a series of names.
_TAIL = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{4}$|[-_]?\d+$")


@dataclass(frozen=True)
class Estimate:
    """The seconds that earlier jobs ran."""

    earlier: tuple[float, ...] = ()

    def left(self, ran: float) -> float | None:
        """Seconds that a job is likely to need after it `ran` so many; None where none took longer."""
        longer = [took for took in self.earlier if took > ran]
        return statistics.median(longer) - ran if longer else None

    def words(self, ran: float) -> str:
        """A remark for the panel; "" where nothing is known."""
        if not self.earlier:
            return ""
        left = self.left(ran)
        if left is None:
            return f"longer than before ({seconds(max(self.earlier))})"
        return f"about {_round(left)} left"


def _round(value: float) -> str:
    """Whole seconds: an estimate has no more."""
    whole = max(1, round(value))
    return f"{whole} s" if whole < 100 else f"{round(whole / 60)} min"


def estimate(job: Job, description: Mapping[str, Any]) -> Estimate:
    """From the latest completed jobs whose name begins alike and whose target is the same: one request."""
    stem = _TAIL.sub("", job.name)
    try:
        with job.backend.translated():
            page = job.backend.sagemaker.list_compilation_jobs(
                StatusEquals="COMPLETED",
                NameContains=stem,
                SortBy="CreationTime",
                SortOrder="Descending",
                MaxResults=_LOOKED_AT,
            )
    except NeoMagicsError:
        return Estimate()  # the panel goes on without it
    output = description.get("OutputConfig", {})
    alike = [
        summary
        for summary in page["CompilationJobSummaries"]
        if _TAIL.sub("", summary["CompilationJobName"]) == stem and _target(summary) == _wanted(output)
    ]
    times = (_ran(summary) for summary in alike)
    return Estimate(tuple(ran for ran in times if ran > _FROM_CACHE))


def _ran(summary: Mapping[str, Any]) -> float:
    start, end = summary.get("CompilationStartTime"), summary.get("CompilationEndTime")
    return (end - start).total_seconds() if start and end else 0.0


def _target(summary: Mapping[str, Any]) -> tuple[Any, ...]:
    parts = ("Device", "PlatformOs", "PlatformArch", "PlatformAccelerator")
    return tuple(summary.get(f"CompilationTarget{part}") for part in parts)


def _wanted(output: Mapping[str, Any]) -> tuple[Any, ...]:
    platform = output.get("TargetPlatform") or {}
    return (output.get("TargetDevice"), *(platform.get(part) for part in ("Os", "Arch", "Accelerator")))
