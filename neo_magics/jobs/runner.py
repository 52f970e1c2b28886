"""The runner of one job: `python -m neo_magics.jobs.runner NAME WORK_FOLDER [-- CHILD…]`.

A detached process that outlives the kernel. It starts the compile child first and opens the store while
the child imports, so that neither waits for the other; the child begins its work at the word "go". At the
end the runner removes the work folder, writes the job's last status, and starts the next job.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from neo_magics.api.events import NEXT_STEP, LogLine
from neo_magics.api.states import JobStatus
from neo_magics.errors import NeoMagicsError, ResourceError, failure_reason
from neo_magics.jobs import endings
from neo_magics.jobs.journal import Journal
from neo_magics.jobs.limits import cpu_count, memory_limit
from neo_magics.jobs.patience import patiently, unless_busy
from neo_magics.jobs.processes import Identity, python_environment, signal_group, start_child
from neo_magics.jobs.supervise import Cause, Ending, Limits, Supervisor
from neo_magics.jobs.work_folder import WorkFolder
from neo_magics.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from neo_magics.jobs.store import JobStore

COMPILE_CHILD = (sys.executable, "-m", "neo_magics.jobs.compile_job")
_RUNNING = (JobStatus.INPROGRESS,)
_BUSY_SECONDS = 1.0  # a locked store must not keep the supervisor from its child for long
_DEFAULT_SECONDS = 900  # what SageMaker's SDKs give where the request says nothing
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TVM_NUM_THREADS")


class Runner:
    """One job from STARTING to its end."""

    def __init__(self, name: str, work: WorkFolder, settings: Settings, command: Sequence[str]) -> None:
        self.name = name
        self.work = work
        self.settings = settings
        self.command = command or COMPILE_CHILD
        self._told_to_end = False
        self._next_beat = 0.0

    def run(self) -> None:
        """Run the job to its end; raises only where not even a failure could be written."""
        signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            child = self._start_child()
        except OSError as error:
            self._give_up(_open_store(self.settings), error)
            return
        store = _open_store(self.settings)
        try:
            self._run_child(store, child)
        except BaseException as error:
            signal_group(child.pid, signal.SIGKILL)
            self._finish(store, JobStatus.FAILED, failure_reason=failure_reason(error))
            raise
        finally:
            _close(child)
            self._next_job(store)

    def _give_up(self, store: JobStore, error: OSError) -> None:
        """There is no compile child at all."""
        self._begin(store)
        self._finish(store, JobStatus.FAILED, failure_reason=failure_reason(endings.no_child(error)))
        self._next_job(store)

    def _run_child(self, store: JobStore, child: subprocess.Popen[bytes]) -> None:
        if not self._begin(store):  # stopped while it was starting
            signal_group(child.pid, signal.SIGKILL)
            self._finish(store, JobStatus.STOPPED)
            return
        limits = self._limits  # read before the child can touch the folder that they are in
        _say_go(child)
        journal = Journal(lambda lines: store.append_log(self.name, lines))
        supervisor = Supervisor(
            child, journal, limits, wish=lambda: self._wish(store), beat=lambda: self._beat(store)
        )
        self._conclude(store, journal, supervisor.run())

    def _start_child(self) -> subprocess.Popen[bytes]:
        threads = str(cpu_count())
        environment = python_environment(
            {"TMPDIR": str(self.work.temporary), **dict.fromkeys(_THREAD_VARIABLES, threads)}
        )
        # The child reads models of strangers; it has no business with the store.
        environment.pop("NEO_MAGICS_DATABASE_URL", None)
        child = start_child(
            [*self.command, str(self.work.path)], environment=environment, folder=self.work.temporary
        )
        self.work.write_child(Identity.of(child.pid))
        return child

    def _begin(self, store: JobStore) -> bool:
        me = Identity.of()
        return self._change(
            store,
            JobStatus.INPROGRESS,
            (JobStatus.STARTING,),
            heartbeat=time.time(),
            runner_pid=me.pid,
            runner_started=me.started,
        )

    @cached_property
    def _limits(self) -> Limits:
        condition = self.work.request()[1].get("StoppingCondition", {})
        return Limits(
            seconds=float(condition.get("MaxRuntimeInSeconds", _DEFAULT_SECONDS)),
            memory=memory_limit(self.settings.memory_limit_mb),
            grace=self.settings.stop_grace_seconds,
        )

    def _wish(self, store: JobStore) -> Cause | None:
        if self._told_to_end:
            return Cause.TOLD_TO_END
        status = unless_busy(lambda: store.get(self.name).status)
        return Cause.STOPPED if status == JobStatus.STOPPING else None

    def _beat(self, store: JobStore) -> None:
        if time.monotonic() >= self._next_beat:
            self._next_beat = time.monotonic() + self.settings.heartbeat_seconds
            unless_busy(lambda: store.touch(self.name, time.time()))

    def _conclude(self, store: JobStore, journal: Journal, ending: Ending) -> None:
        result = self.work.result()
        if ending.cause is Cause.STOPPED:
            journal.add(LogLine(f"The job was stopped in stage {ending.stage}."))
            status, columns = JobStatus.STOPPED, dict[str, Any]()
        elif result and "failure_reason" not in result and ending.returncode == 0:
            status, columns = JobStatus.COMPLETED, result
        else:
            reason, next_step = self._reason(ending, result)
            journal.add(LogLine(reason))
            if next_step:
                journal.add(LogLine(NEXT_STEP + next_step))
            status, columns = JobStatus.FAILED, {"failure_reason": reason}
        self.work.remove()  # where the disk is full, this is the room that the next two need
        patiently(lambda: _write_last_lines(journal))
        self._finish(store, status, **columns)

    def _reason(self, ending: Ending, result: dict[str, Any] | None) -> tuple[str, str]:
        """The FailureReason, and the next step in it."""
        error = self._cause_error(ending)
        if error is None and result and "failure_reason" in result:
            return str(result["failure_reason"]), str(result.get("next_step", ""))
        if error is None and not self.work.path.exists():
            error = endings.folder_gone(self.work.path, ending.stage)
        error = error or endings.crashed(ending.returncode, ending.stage, ending.last_lines)
        return failure_reason(error), error.hint

    def _cause_error(self, ending: Ending) -> NeoMagicsError | None:
        limits = self._limits
        match ending.cause:
            case Cause.TIMED_OUT:
                return endings.timed_out(limits.seconds, ending.stage)
            case Cause.OUT_OF_MEMORY:
                return endings.out_of_memory(ending.memory, limits.memory, ending.stage)
            case Cause.TOLD_TO_END:
                return endings.told_to_end(ending.stage)
            case _:
                return None

    def _finish(self, store: JobStore, status: JobStatus, **columns: Any) -> None:
        """The files go first: who sees the last status finds nothing left over."""
        self.work.remove()
        if status == JobStatus.STOPPED or not self._change(store, status, _RUNNING, **columns):
            # Also where a stop came in the last moment: it is the user's word.
            self._change(store, JobStatus.STOPPED, (JobStatus.STOPPING,))

    def _change(self, store: JobStore, to: JobStatus, expect: Collection[JobStatus], **columns: Any) -> bool:
        return patiently(lambda: store.change(self.name, to, expect=expect, **columns))

    def _next_job(self, store: JobStore) -> None:
        from neo_magics.jobs.executors.local import LocalExecutor

        child = () if tuple(self.command) == COMPILE_CHILD else self.command
        patiently(lambda: LocalExecutor(store, self.settings, child_command=child).pump(force=True))

    def _on_sigterm(self, _number: int, _frame: object) -> None:
        self._told_to_end = True


def _open_store(settings: Settings) -> JobStore:
    from neo_magics.jobs.store import JobStore

    return patiently(lambda: JobStore(settings.url, busy_seconds=_BUSY_SECONDS))


def _write_last_lines(journal: Journal) -> None:
    with contextlib.suppress(ResourceError):  # the disk is full, and the status needs less room than the log
        journal.flush(force=True)


def _say_go(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None  # start_child opened all three
    try:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    except BrokenPipeError:
        return  # it died already; the supervisor finds out how


def _close(child: subprocess.Popen[bytes]) -> None:
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of the runner process."""
    name, folder, *rest = sys.argv[1:] if arguments is None else arguments
    from pathlib import Path

    Runner(name, WorkFolder(Path(folder)), Settings.from_environment(), rest[1:]).run()


if __name__ == "__main__":
    main()
