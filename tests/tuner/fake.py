"""A child that times nothing, for the tests of what its parent does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from neo_magics.api.events import Event
from neo_magics.tuner.database import FILE, Database, Place
from neo_magics.tuner.process import CandidateError
from neo_magics.tuner.rounds import Task, Tuner

HERE = Place("this machine", "these versions")


class FakeChild:
    """Answers with `times`; what is in `broken` fails, and takes the process along where it says so."""

    def __init__(self, times: Mapping[str, float], broken: Mapping[str, bool] | None = None) -> None:
        self.times, self.broken = times, broken or {}
        self.running = False
        self.starts = 0
        self.asked: list[tuple[str, str]] = []
        self.before_time: Callable[[], None] = lambda: None
        self._built: list[str] = []

    def ask(self, what: str, _timeout: float, **parameters: Any) -> dict[str, Any]:
        """The child's side of the protocol."""
        self.starts += not self.running
        self.running = True
        self.asked.append((what, str(parameters.get("label", parameters.get("key", "")))))
        answer: dict[str, Any] = getattr(self, f"_{what}")(**parameters)
        return answer

    @property
    def built(self) -> list[str]:
        """Labels in the order in which they were asked for."""
        return [label for what, label in self.asked if what == "build"]

    def _workload(self, key: str) -> dict[str, Any]:
        self._built = []
        return {}

    def _build(self, label: str) -> dict[str, Any]:
        if label in self.broken:
            self.running = not self.broken[label]
            raise CandidateError("it is broken")
        self._built.append(label)
        return {}

    def _time(self, seconds: float, labels: Sequence[str]) -> dict[str, Any]:
        self.before_time()
        assert set(labels) <= set(self._built)
        return {"medians": {label: self.times[label] for label in labels}}


def task(name: str, *labels: str, uses: int = 1, operations: float = 1.0) -> Task:
    """A workload with these candidates."""
    return Task(name, f"the {name}", uses, operations, labels)


def tuner(child: Any, folder: Path, events: list[Event], seconds: float = 60.0, **given: Any) -> Tuner:
    """A tuner with a database in `folder`."""
    database = Database(folder / FILE, sys.exit)
    return Tuner(child, database, HERE, events.append, seconds, **given)
