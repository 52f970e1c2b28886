"""Times candidates until all are known or the seconds are spent, the most expensive workloads first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from neo_magics.api.events import Event, LogLine, ProgressEvent
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.tuning import Choose
from neo_magics.tuner.database import WORTH_IT, Database, Place, Result, Results
from neo_magics.tuner.process import CandidateError, Child, StartError

BATCH = 5  # candidates that take turns with the model's
HOPELESS = 1.5  # times as slow as the model's choice
BUILD_SECONDS = 20.0  # for one candidate, its first calls included
ROUND_SECONDS = 0.3  # of timing for a batch
_TIME_SECONDS = 60.0  # after which a batch is given up
Emit = Callable[[Event], None]


@dataclass(frozen=True)
class Task:
    """A workload of a model: how often it occurs, and its candidates' labels, the model's choice first."""

    key: str
    title: str
    uses: int
    operations: float
    labels: tuple[str, ...]

    def waiting(self, results: Results) -> list[str]:
        """The labels that are still to be timed; none where there is nothing to choose.

        A kind of candidates (what a label says before its colon) whose best is far behind is given up.
        """
        if len(self.labels) < 2:
            return []
        known = results.get(self.key, {})
        nearest: dict[str, float] = {}
        for label, result in known.items():
            ratio = float("inf") if result.ratio is None else result.ratio
            nearest[_kind(label)] = min(ratio, nearest.get(_kind(label), ratio))
        return [
            label for label in self.labels if label not in known and nearest.get(_kind(label), 0.0) < HOPELESS
        ]


def tasks(choose: Choose, machine: Machine) -> list[Task]:
    """What `choose` was asked, the most work first."""
    found = [
        Task(
            key,
            workload.title,
            choose.uses[key],
            workload.operations,
            tuple(candidate.label for candidate in workload.candidates(machine)),
        )
        for key, workload in choose.met.items()
    ]
    return sorted(found, key=lambda task: (-task.uses * task.operations, task.key))


@dataclass
class Tuner:
    """Measures in `child`, keeps what it finds in `database` batch by batch, and tells about it."""

    child: Child
    database: Database
    place: Place
    emit: Emit
    seconds: float
    clock: Callable[[], float] = time.monotonic
    measured: int = 0
    failed: int = 0

    def run(self, wanted: Sequence[Task], results: Results) -> Results:
        """`results` and what was found. Ends when the seconds are spent; one batch may go beyond."""
        found = {key: dict(candidates) for key, candidates in results.items()}
        total = sum(len(task.labels) for task in wanted)
        end = self.clock() + self.seconds
        try:
            for task, batch in _batches(wanted, found):
                if self.clock() >= end:
                    break
                measured = self._measure(task, batch)
                self.database.write(self.place, task.key, measured)
                found.setdefault(task.key, {}).update({result.candidate: result for result in measured})
                done = total - sum(len(task.waiting(found)) for task in wanted)
                self.emit(ProgressEvent("tune", done, total, "candidates"))
        except StartError as error:
            self.emit(LogLine(f"tune: the process that times candidates does not start: {error}"))
        return found

    def _measure(self, task: Task, batch: Sequence[str]) -> list[Result]:
        """Results of the batch's candidates, against the model's choice in the same rounds."""
        model = task.labels[0]
        failed: dict[str, str] = {}
        wanted = list(dict.fromkeys([model, *batch]))
        while not self._build(task, [label for label in wanted if label not in failed], failed):
            pass  # each time one candidate took the process along
        medians = self._time(task, wanted, failed)
        ratios = {label: own / medians[model] for label, own in medians.items()}
        ratios = self._confirmed(task, ratios, failed)
        for label, why in failed.items():
            self.emit(LogLine(f"tune: {task.title}: {label} is left out: {why}"))
        self.failed += len(failed)
        self.measured += len(ratios)
        reference = medians.get(model, 0.0)
        timed = [Result(label, ratio, reference * ratio, reference) for label, ratio in ratios.items()]
        missing = [label for label in wanted if label not in ratios]
        why_not = "the model's choice does not run"
        return [*timed, *(Result(label, None, note=failed.get(label, why_not)) for label in missing)]

    def _build(self, task: Task, labels: Sequence[str], failed: dict[str, str]) -> bool:
        """Have the candidates built; what fails is added to `failed`. False if the process is gone."""
        label = ""
        try:
            self.child.ask("workload", BUILD_SECONDS, key=task.key)
            for label in labels:
                try:
                    self.child.ask("build", BUILD_SECONDS, label=label)
                except CandidateError as error:
                    failed[label] = str(error)
                    if not self.child.running:
                        return False
        except CandidateError as error:
            failed.update(dict.fromkeys(labels, str(error)))
        return True

    def _confirmed(self, task: Task, ratios: dict[str, float], failed: dict[str, str]) -> dict[str, float]:
        """The ratios, that of the best from two timings, of which the worse counts: luck does not win."""
        model, sure = task.labels[0], set[str]()
        while ratios:
            leader = min(ratios, key=ratios.__getitem__)
            if leader in sure or ratios[leader] >= WORTH_IT:
                break
            sure.add(leader)
            again = self._time(task, [model, leader], failed)
            if again:
                ratios = {**ratios, leader: max(ratios[leader], again[leader] / again[model])}
            ratios = {label: ratio for label, ratio in ratios.items() if label not in failed}
        return ratios

    def _time(self, task: Task, labels: Sequence[str], failed: dict[str, str]) -> dict[str, float]:
        """Medians by label of what has not failed; none where the model's own choice does not run."""
        running = [label for label in labels if label not in failed]
        if task.labels[0] not in running:
            return {}
        try:
            answer = self.child.ask("time", _TIME_SECONDS, seconds=ROUND_SECONDS, labels=running)
        except CandidateError as error:
            failed.update(dict.fromkeys(running, str(error)))
            return {}
        medians: dict[str, float] = answer["medians"]
        return medians


def _kind(label: str) -> str:
    return label.partition(":")[0]


def _batches(wanted: Sequence[Task], found: Results) -> Iterator[tuple[Task, list[str]]]:
    """A batch of each task in turn, until nothing waits."""
    waiting = True
    while waiting:
        waiting = False
        for task in wanted:
            labels = task.waiting(found)[:BATCH]
            if labels:
                waiting = True
                yield task, labels


def summary(wanted: Sequence[Task], results: Results, choices: dict[str, str]) -> list[dict[str, Any]]:
    """For the report: each workload with what was chosen and what that gains in milliseconds of a call."""
    lines = []
    for task in wanted:
        chosen = choices.get(task.key, task.labels[0])
        known = results.get(task.key, {}).get(chosen)
        timed = known is not None and known.ratio is not None
        lines.append(
            {
                "workload": task.title,
                "uses": task.uses,
                "candidates": len(task.labels),
                "known": len(task.labels) - len(task.waiting(results)),
                "model": task.labels[0],
                "chosen": chosen,
                "model_ms": _ms(known.reference) if known and timed else None,
                "chosen_ms": _ms(known.seconds) if known and timed else None,
                "gain": round(1 / known.ratio, 3) if known and known.ratio else None,
            }
        )
    return lines


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 4)
