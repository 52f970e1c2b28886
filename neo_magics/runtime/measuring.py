"""How calls are timed: each side in a process of its own, warmed up, in rounds that take turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError
from neo_magics.runtime.exchange import save_arrays
from neo_magics.runtime.sides import Side
from neo_magics.runtime.threads import available_cpus, default_threads, distinct_cores
from neo_magics.runtime.worker_process import WorkerProcess

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array

ROUNDS, FEWEST_ROUNDS = 12, 5
CALLS_LEAST, CALLS_MOST = 3, 500  # of one side in one round
_WARM_SHARE = 0.2  # of all seconds, for all sides together
# Between turns: thread pools spin for a while after a call, 0.2 s in TVM and 0.04 s in ONNX Runtime, and
# would take a core from whoever comes next.
_PAUSE = 0.05  # seconds
_LONGEST_PAUSE = 2.0
_WITHOUT_CLOCK = 0.25  # where the system does not say how much CPU time a process has used
_SLACK = 120.0  # seconds that an answer may be late
_ALL_ROWS = 3600.0  # seconds for all labelled rows of one side

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Conditions:
    """What is the same for both sides."""

    threads: int
    cores: tuple[int, ...]
    seconds: float
    rounds: int | None = None

    @classmethod
    def choose(cls, threads: int | None, seconds: float, rounds: int | None = None) -> Conditions:
        """Fill in what is not given: as many threads as cores, each on a core of its own."""
        count = default_threads() if threads is None else threads
        if count < 1 or seconds <= 0 or (rounds is not None and rounds < 1):
            raise UsageError("threads, seconds and rounds must be over 0.")
        cores = distinct_cores()
        if count > len(cores):
            cores = cores if count > available_cpus() else []
        return cls(count, tuple(cores[:count]), seconds, rounds)


@dataclass
class Measured:
    """One side's measurements: samples in milliseconds by round, and what the process said of itself."""

    side: Side
    samples_ms: list[list[float]] = field(default_factory=list)
    load_seconds: float = 0.0
    start_seconds: float = 0.0
    memory_bytes: int = 0
    peak_memory_bytes: int = 0
    private_memory_bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    accuracy: float | None = None
    call_seconds: float = 0.0

    def take_memory(self, answer: Mapping[str, int]) -> None:
        """Keep what the process said of its memory."""
        self.memory_bytes, self.peak_memory_bytes = answer["memory_bytes"], answer["peak_memory_bytes"]
        self.private_memory_bytes = answer["private_memory_bytes"]


class Measurement:
    """Workers for some sides, loaded and holding the same inputs; use in a `with` block."""

    def __init__(self, sides: Sequence[Side], conditions: Conditions, folder: Path, say: Progress) -> None:
        self.conditions = conditions
        self.results = [Measured(side) for side in sides]
        self._folder, self._say = folder, say
        self._workers: list[WorkerProcess] = []

    def __enter__(self) -> Measurement:
        with ExitStack() as stack:
            for result in self.results:
                self._say(f"Loading {result.side.label}…")
                began = time.perf_counter()
                worker = WorkerProcess(
                    result.side, threads=self.conditions.threads, cores=list(self.conditions.cores)
                )
                self._workers.append(stack.enter_context(worker))
                answer = worker.load()
                result.start_seconds = time.perf_counter() - began
                result.load_seconds, result.versions = answer["load_seconds"], answer["versions"]
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.__exit__(*exception)

    def give(self, inputs: Mapping[str, Array]) -> None:
        """Hand the inputs of the timed calls to every worker."""
        path = self._folder / "inputs.npz"
        save_arrays(path, inputs)
        for worker in self._workers:
            worker.ask("inputs", _SLACK, path=str(path))

    def outputs(self) -> list[Path]:
        """Each side's outputs for the inputs, as files."""
        paths = [self._folder / f"outputs{index}.npz" for index in range(len(self._workers))]
        for worker, path in zip(self._workers, paths, strict=True):
            worker.ask("outputs", self._patience(), path=str(path))
        return paths

    def time(self) -> None:
        """Warm every side up, then time all of them in alternating rounds; fills `results`."""
        for result, worker in zip(self.results, self._workers, strict=True):
            self._say(f"Warming {result.side.label} up…")
            self._rest()
            seconds = _WARM_SHARE * self.conditions.seconds / len(self._workers)
            answer = worker.ask("warm", self._patience(), seconds=seconds)
            result.call_seconds = answer["call_seconds"]
        rounds, turn = self.plan()
        pairs = list(zip(self.results, self._workers, strict=True))
        for index in range(rounds):
            self._say(f"Measuring, round {index + 1} of {rounds}…")
            for result, worker in pairs if index % 2 == 0 else reversed(pairs):
                self._rest()
                answer = worker.ask(
                    "time", self._patience(), seconds=turn, least=CALLS_LEAST, most=CALLS_MOST
                )
                result.samples_ms.append([1000 * sample for sample in answer["samples"]])
        for result, worker in pairs:
            result.take_memory(worker.ask("memory", _SLACK))

    def _rest(self) -> None:
        """Wait until no worker uses the CPU."""
        end = time.monotonic() + _LONGEST_PAUSE
        used = self._cpu_seconds()
        while time.monotonic() < end:
            if used is None:
                time.sleep(_WITHOUT_CLOCK)
                return
            time.sleep(_PAUSE)
            before, used = used, self._cpu_seconds()
            if used is not None and used - before < _PAUSE / 4:
                return

    def _cpu_seconds(self) -> float | None:
        each = [worker.cpu_seconds() for worker in self._workers]
        return None if None in each else sum(filter(None, each))

    def evaluate(self, inputs: Mapping[str, Array], labels: Array, rows: Mapping[str, int]) -> None:
        """Count how many labels each side gets right."""
        paths = self._folder / "rows.npz", self._folder / "labels.npz"
        save_arrays(paths[0], inputs)
        save_arrays(paths[1], {"labels": labels})
        for result, worker in zip(self.results, self._workers, strict=True):
            self._say(f"Counting what {result.side.label} gets right…")
            answer = worker.ask(
                "evaluate", _ALL_ROWS, inputs=str(paths[0]), labels=str(paths[1]), rows=dict(rows)
            )
            result.accuracy = answer["accuracy"]

    def plan(self) -> tuple[int, float]:
        """Rounds, and seconds of one side's turn: fewer rounds where calls are long."""
        budget = self.conditions.seconds * (1 - _WARM_SHARE) / len(self.results)
        slowest = max(result.call_seconds for result in self.results)
        fitting = int(budget / (CALLS_LEAST * slowest)) if slowest else ROUNDS
        rounds = self.conditions.rounds or max(FEWEST_ROUNDS, min(ROUNDS, fitting))
        return rounds, budget / rounds

    def _patience(self) -> float:
        slowest = max((result.call_seconds for result in self.results), default=0.0)
        return _SLACK + self.conditions.seconds + 20 * slowest
