"""Child processes that run a model: started alike, and their ends explained."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from neo_magics.errors import ExecutionError

_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_WORDS = {
    "SIGILL": "the CPU does not know an instruction that it uses",
    "SIGSEGV": "it touched memory that is not its own",
    "SIGBUS": "it touched memory that is not there",
    "SIGFPE": "it divided by zero",
    "SIGKILL": "it was killed, most often because memory ran out",
}


def command(module: str, *arguments: str, python: str = "") -> list[str]:
    """The command that runs `python -m module` with this interpreter, or that of another environment."""
    return [python or sys.executable, "-m", module, *arguments]


def foreign_environment(folder: Path, threads: int | None = None) -> dict[str, str]:
    """For a Python of another environment, which has its framework and not this package.

    In `folder`, which is empty, this package alone is put on its path: nothing else of this environment.
    """
    (folder / "neo_magics").symlink_to(_PACKAGE_ROOT / "neo_magics", target_is_directory=True)
    return {**environment(threads), "PYTHONPATH": str(folder)}


def environment(threads: int | None = None) -> dict[str, str]:
    """This process's environment with this package importable, and `threads` for every thread pool."""
    values = dict(os.environ)
    paths = [str(_PACKAGE_ROOT), *filter(None, [values.get("PYTHONPATH")])]
    values["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    if threads:
        names = ("TVM_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        values.update(dict.fromkeys(names, str(threads)))
        values["TVM_BIND_THREADS"] = "0"
    return values


def crash_at_once() -> None:
    """Let a crash end this process. Called in children, once TVM is loaded.

    libtvm_ffi catches SIGSEGV to print a trace, for which it allocates memory: where the crash came within
    the allocator, as it does when the heap is damaged, the process would wait for itself for ever.
    """
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)


def describe_exit(status: int) -> str:
    """What a return code of `subprocess` means: "exited with status 3", "crashed with SIGILL (…)"."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"crashed with {name}" + (f" ({_WORDS[name]})" if name in _WORDS else "")


def ended_early(what: str, status: int, errors: str) -> ExecutionError:
    """The error for a child that ended before it answered; `errors` is what it wrote to standard error."""
    last = next((line.strip() for line in reversed(errors.splitlines()) if line.strip()), "")
    said = f" Its last words: {last[:300]}" if last else ""
    return ExecutionError(
        f"The process that ran {what} {describe_exit(status)}.{said}",
        hint="Run it again; if it happens again, compile for an older CPU or report it with the model.",
        status=status,
    )
