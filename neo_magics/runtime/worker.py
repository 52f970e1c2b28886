"""The child that holds one side of a measurement: `python -m neo_magics.runtime.worker`.

Requests and answers are JSON objects, one a line. A worker for an artifact loads neither the compiler nor
a framework. It ends when its standard input does, so that none outlives its parent.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from neo_magics.errors import NeoMagicsError, UsageError
from neo_magics.runtime.child import crash_at_once

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array
    from neo_magics.runtime.sides import Runnable


class Worker:
    """Holds the model and its inputs; each public method answers one request."""

    def __init__(self) -> None:
        self._model: Runnable | None = None
        self._inputs: dict[str, Array] = {}

    def load(self, side: Mapping[str, Any], threads: int, cores: list[int]) -> dict[str, Any]:
        """Load the side's model, on `cores` only; answers with seconds (imports included) and versions."""
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        began = time.perf_counter()
        self._model, versions = _open(side, threads)
        crash_at_once()
        return {"load_seconds": time.perf_counter() - began, "versions": versions}

    def inputs(self, path: str) -> dict[str, Any]:
        """Take the inputs of every later call from a file."""
        from neo_magics.runtime.exchange import load_arrays

        self._inputs = load_arrays(Path(path))
        return {}

    def warm(self, seconds: float) -> dict[str, Any]:
        """Call until it gets no faster, at most about `seconds`; answers with seconds a call now."""
        return {"call_seconds": warm_up(self._call, seconds)}

    def time(self, seconds: float, least: int, most: int) -> dict[str, Any]:
        """Time calls one by one for `seconds`, at least `least` and at most `most` of them."""
        gc.disable()
        try:
            return {"samples": time_calls(self._call, seconds, least, most)}
        finally:
            gc.enable()

    def outputs(self, path: str) -> dict[str, Any]:
        """Write the outputs for the inputs to a file."""
        from neo_magics.runtime.exchange import save_arrays

        save_arrays(Path(path), self._call())
        return {}

    def evaluate(self, inputs: str, labels: str, rows: Mapping[str, int]) -> dict[str, Any]:
        """The share of rows whose largest output is the label; `rows` of each input make one call."""
        from neo_magics.runtime.evaluation import accuracy
        from neo_magics.runtime.exchange import load_arrays

        wanted = next(iter(load_arrays(Path(labels)).values()))
        return {"accuracy": accuracy(self._ready().run, load_arrays(Path(inputs)), wanted, rows)}

    def profile(self, folder: str, inputs: str, threads: int, cores: list[int], **how: Any) -> dict[str, Any]:
        """Time each kernel of the artifact in `folder`; `how` and the answer are `profile_calls`'s."""
        if cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)
        from neo_magics.runtime.libraries import keep_torch_out

        keep_torch_out()
        from neo_magics.runtime.exchange import load_arrays
        from neo_magics.runtime.profiler import profile_calls

        return profile_calls(Path(folder), load_arrays(Path(inputs)), threads=threads, **how)

    def memory(self) -> dict[str, Any]:
        """Resident memory of this process now, what of it no other can share, and its peak, in bytes."""
        from neo_magics.runtime.memory import peak_bytes, private_bytes, resident_bytes

        return {
            "memory_bytes": resident_bytes(),
            "private_memory_bytes": private_bytes(),
            "peak_memory_bytes": peak_bytes(),
        }

    def _call(self) -> dict[str, Array]:
        return self._ready().run(self._inputs)

    def _ready(self) -> Runnable:
        if self._model is None:
            raise UsageError("The worker has no model yet: send load first.")
        return self._model


def warm_up(call: Callable[[], object], seconds: float) -> float:
    """Call in batches until a batch's fastest call is within 3 % of the best so far, twice in a row."""
    end = time.perf_counter() + seconds
    best, steady = float("inf"), 0
    while steady < 2:
        fastest = min(time_calls(call, seconds / 10, 3, 1000))
        steady = steady + 1 if fastest > 0.97 * best else 0
        best = min(best, fastest)
        if time.perf_counter() > end:
            break
    return best


def time_calls(call: Callable[[], object], seconds: float, least: int, most: int) -> list[float]:
    """Seconds of each call, one after the other."""
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) < most:
        began = time.perf_counter()
        call()
        ended = time.perf_counter()
        samples.append(ended - began)
        if ended > end and len(samples) >= least:
            break
    return samples


def _open(side: Mapping[str, Any], threads: int) -> tuple[Runnable, dict[str, str]]:
    if side["kind"] == "artifact":
        from neo_magics.runtime.libraries import keep_torch_out

        keep_torch_out()
        from neo_magics.runtime.loading import load

        model = load(side["folder"], threads=threads)
        return model, _installed("apache-tvm", "apache-tvm-ffi")
    if side["opener"]:
        from importlib import import_module

        source = import_module(side["opener"]).open_model(Path(side["folder"]), threads, side["trust_pickle"])
    else:
        from neo_magics.capture.source import open_source

        source = open_source(
            Path(side["folder"]), side["framework"], threads=threads, trust_pickle=side["trust_pickle"]
        )
    return source, dict(source.versions)


def _installed(*names: str) -> dict[str, str]:
    from importlib import metadata

    return {name: metadata.version(name) for name in names}


def _answer(worker: Worker, line: str) -> dict[str, Any]:
    request = json.loads(line)
    try:
        answer: dict[str, Any] = getattr(worker, request.pop("do"))(**request)
    except NeoMagicsError as error:
        return {"error": error.message, "hint": error.hint, "kind": type(error).__name__}
    except Exception as error:  # noqa: BLE001 - whatever a framework raises is the parent's to tell
        return {"error": f"{type(error).__name__}: {error}", "hint": "", "kind": ""}
    return answer


def _take_standard_output() -> TextIO:
    """The pipe to the parent; what libraries print goes to standard error from here on."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def main() -> int:
    """Answer requests until standard input ends."""
    pipe, worker = _take_standard_output(), Worker()
    for line in sys.stdin:
        print(json.dumps(_answer(worker, line)), file=pipe, flush=True)
    pipe.flush()
    # Frameworks' threads may block a clean end; nothing is left to save.
    os._exit(0)


if __name__ == "__main__":
    main()
