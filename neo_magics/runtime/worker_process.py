"""The parent's end of a worker: start it, ask it, end it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from neo_magics.errors import ExecutionError
from neo_magics.runtime import child
from neo_magics.runtime.sides import Side
from neo_magics.settings import TENSORFLOW_PYTHON

START_SECONDS = 300.0  # to load a model and its framework
_END_SECONDS = 5.0


class WorkerProcess:
    """A worker for one side, for use in a `with` block; its end takes the process along."""

    def __init__(self, side: Side, *, threads: int, cores: list[int]) -> None:
        self.side = side
        self._threads, self._cores = threads, cores
        self._buffer = b""

    def __enter__(self) -> WorkerProcess:
        self._errors: IO[bytes] = tempfile.TemporaryFile()
        self._package = tempfile.TemporaryDirectory()
        python = self.side.python
        environment = child.environment(self._threads)
        if python:
            environment = child.foreign_environment(Path(self._package.name), self._threads)
            environment.pop(TENSORFLOW_PYTHON, None)  # it is this one
            environment["KERAS_BACKEND"] = "tensorflow"
        self._process = subprocess.Popen(
            child.command("neo_magics.runtime.worker", python=python),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        return self

    def __exit__(self, *_exception: object) -> None:
        process = self._process
        assert process.stdin is not None  # both are pipes, see __enter__
        assert process.stdout is not None
        with suppress(BrokenPipeError):  # it is gone already
            process.stdin.close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._errors.close()
        self._package.cleanup()

    def cpu_seconds(self) -> float | None:
        """CPU time that the process and its threads have used so far; None where the system does not say."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        user, system = text.rpartition(")")[2].split()[11:13]  # after the name, which may hold anything
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def load(self) -> dict[str, Any]:
        """Load the side's model."""
        return self.ask(
            "load",
            START_SECONDS,
            side=self.side.to_request(),
            threads=self._threads,
            cores=self._cores,
        )

    def ask(self, what: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        """The worker's answer; `ExecutionError` where it fails, crashes or takes over `timeout` seconds."""
        assert self._process.stdin is not None  # a pipe, see __enter__
        request = json.dumps({"do": what, **parameters}).encode() + b"\n"
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        answer: dict[str, Any] = json.loads(self._line(what, timeout))
        if "error" in answer:
            raise ExecutionError(
                f"{self.side.label}: {answer['error']}", hint=answer["hint"], side=self.side.label
            )
        return answer

    def _line(self, what: str, timeout: float) -> bytes:
        assert self._process.stdout is not None  # a pipe, see __enter__
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self._process.kill()
                    raise ExecutionError(
                        f"{self.side.label} did not answer within {timeout:.0f} s (step: {what}).",
                        hint="Measure with smaller inputs or a larger number of seconds.",
                    )
                part = self._process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
                if not part:
                    raise self._ended()
                self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _ended(self) -> ExecutionError:
        status = self._process.wait()
        self._errors.seek(0)
        return child.ended_early(
            self.side.label, status, self._errors.read()[-4000:].decode(errors="replace")
        )
