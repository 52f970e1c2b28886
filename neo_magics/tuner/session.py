"""The tuning of one job: what is known when it begins, what it adds, and what it says about that."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api.events import Event, LogLine
from neo_magics.compiler.tuning import Choose
from neo_magics.tuner.database import Database, Place, best
from neo_magics.tuner.process import Child
from neo_magics.tuner.rounds import Tuner, summary, tasks

if TYPE_CHECKING:
    from neo_magics.compiler.targets import CpuTarget

_SLOWEST = 8  # workloads named in the log


class Tuning:
    """A snapshot of the database for one place, taken once: all of a job sees the same.

    `seconds` may be spent on measuring; 0 takes what is known. `elsewhere` says why nothing is to be
    measured here ("" where it may).
    """

    def __init__(
        self,
        path: Path,
        place: Place,
        emit: Callable[[Event], None],
        seconds: float = 0.0,
        elsewhere: str = "",
    ) -> None:
        self._emit = emit
        self._database = Database(path, lambda text: emit(LogLine(f"tune: {text}")))
        self._place = place
        self.results = self._database.read(place)
        self.seconds = seconds
        self.elsewhere = elsewhere
        self.report: dict[str, Any] = {}

    @property
    def measures(self) -> bool:
        """Whether this job may time candidates."""
        return self.seconds > 0 and not self.elsewhere

    @property
    def digest(self) -> str:
        """What of the database decides the result: it belongs into the key of the compiled artifact."""
        text = json.dumps(best(self.results), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def choose(self) -> Choose:
        """A fresh choice from what is known now."""
        return Choose(best(self.results))

    def spend(self, discover: Callable[[Choose], object], target: CpuTarget) -> None:
        """Find the model's workloads with `discover`, and time what is not known of them."""
        choose = self.choose()
        discover(choose)
        wanted = tasks(choose, target.machine)
        began = time.perf_counter()
        begin = {
            "target": str(target.tvm),
            "machine": asdict(target.machine),
            "threads": max(target.machine.cores, 1),
        }
        with Child(begin, threads=max(target.machine.cores, 1)) as child:
            tuner = Tuner(child, self._database, self._place, self._emit, self.seconds)
            if any(task.waiting(self.results) for task in wanted):
                self.results = tuner.run(wanted, self.results)
        self.report = {
            "seconds_allowed": self.seconds,
            "seconds": round(time.perf_counter() - began, 2),
            "measured": tuner.measured,
            "failed": tuner.failed,
            "complete": not any(task.waiting(self.results) for task in wanted),
            "workloads": summary(wanted, self.results, best(self.results)),
        }
        for line in _lines(self.report):
            self._emit(LogLine(f"tune: {line}"))

    def conclude(self, choose: Choose) -> None:
        """After the compilation: say what came from the database where nothing was measured."""
        used = [key for key in choose.met if key in choose.known]
        if self.report:
            return
        if self.seconds and self.elsewhere:
            self.report = {"skipped": self.elsewhere}
            self._emit(LogLine(f"tune: nothing is measured: {self.elsewhere}; the model of caches decides."))
        elif used:
            self.report = {"from_database": len(used), "of": len(choose.met)}
            self._emit(
                LogLine(f"optimize: the database chose for {len(used)} of {len(choose.met)} workloads.")
            )


def _lines(report: Mapping[str, Any]) -> list[str]:
    """The report for the log."""
    workloads = report["workloads"]
    total = sum(work["candidates"] for work in workloads)
    known = sum(work["known"] for work in workloads)
    lines = [
        f"{len(workloads)} workloads; {report['measured']} timings in {report['seconds']:.1f} s; "
        f"{known} of {total} candidates are known"
        + ("" if report["complete"] else "; the next --tune goes on")
        + "."
    ]
    timed = [work for work in workloads if work["gain"]]
    if timed:
        before, after = (
            sum(work["uses"] * work[name] for work in timed) for name in ("model_ms", "chosen_ms")
        )
        lines.append(f"sum of the timed kernels: {before:.2f} → {after:.2f} ms")
    changed = sorted(
        (work for work in timed if work["chosen"] != work["model"]),
        key=lambda work: work["uses"] * (work["chosen_ms"] - work["model_ms"]),
    )
    for work in changed[:_SLOWEST]:
        lines.append(
            f"{work['workload']} (× {work['uses']}): {work['model']} → {work['chosen']}, "
            f"{work['model_ms']:.3f} → {work['chosen_ms']:.3f} ms, {work['gain']:.2f} × as fast"
        )
    return lines
