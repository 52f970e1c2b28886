"""How a job can end without a word from its compile child, each as an error with a next step."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from neo_magics.errors import CompilationError, NeoMagicsError, ResourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from neo_magics.jobs.record import JobRecord

_TAIL_CHARACTERS = 400


def timed_out(seconds: float, stage: str) -> NeoMagicsError:
    """MaxRuntimeInSeconds passed while `stage` ran."""
    return CompilationError(
        f"The job reached its time limit in stage {stage}: MaxRuntimeInSeconds is {seconds:g} s.",
        hint="Raise StoppingCondition.MaxRuntimeInSeconds, or compile a smaller model or fewer shapes.",
    )


def waited_too_long(seconds: float) -> NeoMagicsError:
    """MaxPendingTimeInSeconds passed before a runner was free."""
    return ResourceError(
        f"The job waited in the queue longer than its MaxPendingTimeInSeconds of {seconds:g} s.",
        hint="Raise the limit, stop a running job, or allow more at a time with NEO_MAGICS_MAX_RUNNING_JOBS.",
    )


def out_of_memory(used: int, limit: int, stage: str) -> NeoMagicsError:
    """The compile child's resident memory, `used` bytes, passed `limit`."""
    return ResourceError(
        f"Out of memory: stage {stage} used {used >> 20} MB and the limit is {limit >> 20} MB.",
        hint="Raise NEO_MAGICS_MEMORY_LIMIT_MB if the machine has more, or compile a smaller model or batch.",
    )


def crashed(returncode: int, stage: str, last_lines: Sequence[str]) -> NeoMagicsError:
    """The compile child ended with `returncode` (negative: a signal) and left no result."""
    said = _tail(last_lines)
    if returncode == -signal.SIGKILL:
        return ResourceError(
            f"The compile process was killed from outside (SIGKILL) in stage {stage}.{said}",
            hint="Most often the system was out of memory: compile a smaller model or batch, or free memory. "
            "Then create the job again.",
        )
    if returncode < 0:
        return CompilationError(
            f"The compiler crashed with {signal_name(-returncode)} in stage {stage}.{said}",
            hint="The model hit a defect of the compiler: try other CompilerOptions or a simpler model, and "
            "report it with the job's log.",
        )
    return ResourceError(
        f"The compile process ended with exit status {returncode} in stage {stage} and left no result.{said}",
        hint="Read the job's log; `neo-magics doctor` checks the installation.",
    )


def no_child(error: OSError) -> NeoMagicsError:
    """The compile child could not be started."""
    return ResourceError(
        f"The compile process could not be started: {error}.",
        hint="Free memory, disk or processes; `neo-magics doctor` checks the installation.",
    )


def folder_gone(folder: Path, stage: str) -> NeoMagicsError:
    """Somebody deleted the work folder under the running job."""
    return ResourceError(
        f"The job's work folder {folder} was deleted in stage {stage}.",
        hint="Create the job again.",
    )


def told_to_end(stage: str) -> NeoMagicsError:
    """The runner itself got SIGTERM, as at the shutdown of the machine."""
    return ResourceError(
        f"The job's runner was told to end (SIGTERM) in stage {stage}, as at a shutdown of the machine.",
        hint="Create the job again.",
    )


def died(record: JobRecord, last_words: Sequence[str]) -> NeoMagicsError:
    """The runner of `record` is gone; it left `last_words`."""
    if record.runner_started is None:
        return ResourceError(
            f"The job's runner did not start.{_tail(last_words)}",
            hint="Check the installation with `neo-magics doctor`, then create the job again.",
        )
    return ResourceError(
        f"The job's runner (process {record.runner_pid}) died or was killed.{_tail(last_words)}",
        hint="Create the job again; if this repeats, look for the system's out-of-memory killer.",
    )


def signal_name(number: int) -> str:
    """`SIGSEGV` for 11; `signal 99` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(lines: Sequence[str]) -> str:
    text = " | ".join(line.strip() for line in lines if line.strip())
    return f" Its last words: {text[-_TAIL_CHARACTERS:]}" if text else ""
