"""The states of a compilation job and the transitions between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class JobStatus(StrEnum):
    """CompilationJobStatus of the API; the names are AWS's."""

    STARTING = "STARTING"
    INPROGRESS = "INPROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


_S = JobStatus

TERMINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.STOPPED})
ACTIVE = frozenset(JobStatus) - TERMINAL
STOPPABLE = frozenset({_S.STARTING, _S.INPROGRESS})

# STARTING → STOPPED: a queued job has nothing to stop politely.
# STOPPING → FAILED: the runner died while it was stopping the job.
# STOPPING never → COMPLETED: who was told "stopping" must not find an artifact.
TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = MappingProxyType(
    {
        _S.STARTING: frozenset({_S.INPROGRESS, _S.FAILED, _S.STOPPING, _S.STOPPED}),
        _S.INPROGRESS: frozenset({_S.COMPLETED, _S.FAILED, _S.STOPPING}),
        _S.STOPPING: frozenset({_S.STOPPED, _S.FAILED}),
        _S.COMPLETED: frozenset(),
        _S.FAILED: frozenset(),
        _S.STOPPED: frozenset(),
    }
)


def legal(source: JobStatus, target: JobStatus) -> bool:
    """Whether a job may go from `source` to `target` in one step."""
    return target in TRANSITIONS[source]


def sources(target: JobStatus) -> frozenset[JobStatus]:
    """The states from which a job may go to `target`."""
    return frozenset(source for source in JobStatus if legal(source, target))
