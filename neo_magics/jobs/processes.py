"""Processes of the operating system: who is alive, how to start detached, how to end a whole group."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1
_OOM_FIRST = "600"  # the kernel's out-of-memory killer takes the compile child before a notebook


@dataclass(frozen=True)
class Identity:
    """A process by pid and create time (epoch s), because pids are used again."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int | None = None) -> Identity:
        """The identity of a running process; this one without an argument. Raises psutil.NoSuchProcess."""
        process = psutil.Process(pid)
        return cls(process.pid, process.create_time())

    def alive(self) -> bool:
        """Whether that very process runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def kill_group(self) -> None:
        """SIGKILL to the process group this process led, unless the pid belongs to another process by now.

        As long as a member of the group lives, the system gives its number to nobody else.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            if abs(psutil.Process(self.pid).create_time() - self.started) >= 1.0:
                return
        signal_group(self.pid, signal.SIGKILL)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send a signal to a process group; one that is gone already is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def spawn_detached(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, errors: Path
) -> None:
    """Start `command` in a session of its own, as a child of nobody, and return at once.

    A shell forks and ends, so the process never becomes a zombie of the notebook's kernel, and a signal
    to the kernel's group (Ctrl-C, shutdown) does not reach it. Standard error goes to the file `errors`.
    Raises OSError, also where the shell itself fails.
    """
    with errors.open("ab") as log:
        shell = subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=dict(environment), cwd=folder, start_new_session=True, check=False,
        )  # fmt: skip
    if shell.returncode:
        raise OSError(f"cannot start {command[0]}: the shell ended with status {shell.returncode}")


def start_child(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path
) -> subprocess.Popen[bytes]:
    """Start the compile child: a group of its own, three pipes, its life bound to this process's."""
    return subprocess.Popen(
        list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(environment), cwd=folder, process_group=0,
        preexec_fn=_bind_child(os.getpid()),  # noqa: PLW1509 - the runner has one thread
    )  # fmt: skip


def _bind_child(parent: int) -> Callable[[], None]:
    """What the child does between fork and exec."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def bind() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            with contextlib.suppress(OSError):
                Path("/proc/self/oom_score_adj").write_text(_OOM_FIRST)
            if os.getppid() != parent:  # it died before prctl took hold
                os._exit(1)

    return bind


def python_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment and `extra`, such that a Python child imports this same package.

    The folder a process is started in is kept off its import path: a notebook's folder, or an archive,
    may hold files with the names of modules.
    """
    root = str(Path(__file__).resolve().parents[2])
    installed = {str(Path(p).resolve()) for p in (*site.getsitepackages(), site.getusersitepackages())}
    paths = [] if root in installed else [root]
    inherited = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    variables = {**os.environ, "PYTHONSAFEPATH": "1", **extra}
    if paths or inherited:
        variables["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*paths, *inherited]))
    return variables
