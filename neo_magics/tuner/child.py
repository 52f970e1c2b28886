"""The child that builds and times candidates: `python -m neo_magics.tuner.child`.

Requests and answers are JSON objects, one a line. Whatever happens to this process, by a kernel that crashes
or never ends, costs its parent one candidate. It ends when its standard input does.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neo_magics.runtime.child import crash_at_once
from neo_magics.runtime.libraries import keep_torch_out
from neo_magics.runtime.threads import distinct_cores, process_pools

FEWEST_ROUNDS, MOST_ROUNDS = 9, 200


class Bench:
    """Holds the candidates of one workload; each public method answers one request."""

    def __init__(self) -> None:
        self._ready: dict[str, Callable[[], None]] = {}
        self._workload: Any = None

    def begin(self, target: str, machine: Mapping[str, Any], threads: int) -> dict[str, Any]:
        """What to compile for, and with how many threads to run, each on a core of its own."""
        cores = distinct_cores()
        if len(cores) >= threads and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores[:threads])
        import tvm

        from neo_magics.compiler.machine import Machine
        from neo_magics.tuner.bench import Arena

        crash_at_once()
        self._target, self._machine = tvm.target.Target(target), Machine(**machine)
        self._arena = Arena()
        process_pools().use(threads)
        return {}

    def workload(self, key: str) -> dict[str, Any]:
        """The workload of every later request; candidates of another one are given up."""
        from neo_magics.tuner.workloads import read

        self._ready.clear()
        self._arena.forget()
        self._workload = read(key)
        return {}

    def build(self, label: str) -> dict[str, Any]:
        """Compile one candidate and call it, so that what is wrong with it shows now."""
        from neo_magics.tuner.bench import build

        found = self._workload.candidates(self._machine)
        [candidate] = [candidate for candidate in found if candidate.label == label]
        made = build(self._workload, candidate, self._target, self._machine, self._arena)
        made()
        began = time.perf_counter()
        made()
        self._ready[label] = made
        return {"seconds": time.perf_counter() - began}

    def time(self, seconds: float, labels: Sequence[str]) -> dict[str, Any]:
        """The median of each of these candidates over rounds in which all take turns, call by call."""
        return {"medians": medians({label: self._ready[label] for label in labels}, seconds)}


def medians(calls: Mapping[str, Callable[[], None]], seconds: float) -> dict[str, float]:
    """Seconds of a call, by alternating: what disturbs the machine for a while disturbs all."""
    samples: dict[str, list[float]] = {label: [] for label in calls}
    end = time.perf_counter() + seconds
    gc.disable()
    for number in range(MOST_ROUNDS):
        pairs = list(calls.items())
        for label, call in pairs if number % 2 == 0 else reversed(pairs):
            began = time.perf_counter()
            call()
            samples[label].append(time.perf_counter() - began)
        if number + 1 >= FEWEST_ROUNDS and time.perf_counter() > end:
            break
    gc.enable()
    return {label: statistics.median(own) for label, own in samples.items()}


def _answer(bench: Bench, line: str) -> dict[str, Any]:
    request = json.loads(line)
    try:
        answer: dict[str, Any] = getattr(bench, request.pop("do"))(**request)
    except Exception as error:  # noqa: BLE001 - whatever TVM raises is the parent's to tell
        text = str(error).strip().splitlines() or [""]
        return {"error": f"{type(error).__name__}: {text[-1][:300]}"}
    return answer


def main() -> None:
    """Answer requests until standard input ends."""
    keep_torch_out()
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error from here on
    bench = Bench()
    for line in sys.stdin:
        print(json.dumps(_answer(bench, line)), file=pipe, flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
