"""The parent's end of the child that times candidates: started when it is needed, and again after a crash."""

from __future__ import annotations

import json
import selectors
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any

from neo_magics.runtime import child as children

MODULE = "neo_magics.tuner.child"
_START_SECONDS = 120.0
_END_SECONDS = 1.0


class CandidateError(Exception):
    """A candidate that could not be built or run; the message says why."""


class StartError(Exception):
    """The child does not even begin: no fault of a candidate."""


class Child:
    """A child for use in a `with` block, at whose end it is gone; `begin` is told to each new process."""

    def __init__(self, begin: Mapping[str, Any], threads: int, command: Sequence[str] | None = None) -> None:
        self._begin = dict(begin)
        self._threads = threads
        self._command = list(command or children.command(MODULE))
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._buffer = b""

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def running(self) -> bool:
        """Whether a process is there, which remembers what it was asked."""
        return self._process is not None

    def end(self) -> None:
        """Kill the process: it holds nothing worth keeping."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(_END_SECONDS)
        for stream in (process.stdin, process.stdout, self._errors):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def ask(self, what: str, timeout: float, **parameters: Any) -> dict[str, Any]:
        """The child's answer. CandidateError where it fails, crashes or takes over `timeout` seconds.

        StartError where there is no child to ask.
        """
        if self._process is None:
            self._start()
        return self._exchange(what, timeout, parameters)

    def _start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._buffer = b""
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=children.environment(self._threads),
            )
        except OSError as error:
            raise StartError(str(error)) from error
        try:
            self._exchange("begin", _START_SECONDS, self._begin)
        except CandidateError as error:
            self.end()
            raise StartError(str(error)) from error

    def _exchange(self, what: str, timeout: float, parameters: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process is not None  # see ask
        assert self._process.stdin is not None  # both are pipes
        try:
            self._process.stdin.write(json.dumps({"do": what, **parameters}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._crashed() from error
        answer: dict[str, Any] = json.loads(self._line(timeout))
        if "error" in answer:
            raise CandidateError(answer["error"])
        return answer

    def _line(self, timeout: float) -> bytes:
        assert self._process is not None  # see ask
        assert self._process.stdout is not None  # a pipe
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, end - time.monotonic())):
                    self.end()
                    raise CandidateError(f"it took over {timeout:.0f} s")
                part = self._process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
                if not part:
                    raise self._crashed()
                self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _crashed(self) -> CandidateError:
        assert self._process is not None  # see ask
        status = self._process.wait()
        self.end()
        return CandidateError(f"its process {children.describe_exit(status)}")
