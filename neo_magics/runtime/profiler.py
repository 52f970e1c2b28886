"""Times every kernel of a model while it runs, inside of the process that runs it.

TVM's virtual machine calls a function before and after each of its instructions. Between both lies the
kernel, and a little of the watching itself: instructions that do nothing show how much, and it is taken off.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.manifest import PARAMS, Manifest
from neo_magics.runtime.binding import Binder
from neo_magics.runtime.entry import MachineEntry
from neo_magics.runtime.loading import check_files, load_machine
from neo_magics.runtime.machine import check_machine
from neo_magics.runtime.ruler import measure_peaks
from neo_magics.runtime.threads import process_pools
from neo_magics.runtime.weights import map_weights
from neo_magics.runtime.worker import time_calls, warm_up

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array

# The machine's own instructions, and the arithmetic on free dimensions; all else are kernels.
_BUILT_IN = "vm.builtin."
_NO_KERNELS = (_BUILT_IN, "shape_func")
_LEAST, _MOST = 5, 400  # watched calls of the model
_WARM_SECONDS = 0.5


def profile_calls(
    folder: Path, inputs: Mapping[str, Array], *, threads: int, lanes: int, seconds: float
) -> dict[str, Any]:
    """Run the artifact for about `seconds`, watched and not in turns; what each kernel call took, as JSON.

    Times are medians in seconds, those of kernels without the watching, which is `floor_seconds` for each.
    """
    manifest = Manifest.read(folder)
    check_files(folder, manifest)
    check_machine(manifest.target)
    library, machine = load_machine(folder, manifest)
    entry = MachineEntry(machine[manifest.entry], map_weights(folder / PARAMS, manifest.params))
    tensors = Binder(manifest.inputs).tensors([inputs[spec.name] for spec in manifest.inputs])
    process_pools().use(threads)

    def call() -> None:
        entry(tensors)

    warm_up(call, _WARM_SECONDS)
    plain = time_calls(call, seconds / 2, _LEAST, _MOST)
    watch = Watch()
    machine["set_instrument"](watch)
    shapes = watch.shapes(call)
    watched = time_calls(lambda: watch.run(call), seconds / 2, _LEAST, _MOST)
    return {
        **watch.summary(),
        "shapes": shapes,
        "plain_seconds": statistics.median(plain),
        "watched_seconds": statistics.median(watched),
        "runs": len(watched),
        "peaks": measure_peaks(library, lanes, threads).to_dict(),
    }


class Watch:
    """The function that the virtual machine calls. `run` watches one call of the model."""

    def __init__(self) -> None:
        self._began = 0
        self._names: list[str] = []
        self._took: list[int] = []  # nanoseconds
        self._shapes: list[list[tuple[int, ...]]] | None = None
        self._runs: list[tuple[tuple[str, ...], list[int]]] = []

    def __call__(self, _function: Any, name: str, before: bool, _result: Any, *arguments: Any) -> int:
        """0 lets the machine go on."""
        now = time.perf_counter_ns()
        if before:
            self._began = time.perf_counter_ns()
            return 0
        self._took.append(now - self._began)
        self._names.append(name)
        if self._shapes is not None and not name.startswith(_NO_KERNELS):
            self._shapes.append([tuple(map(int, a.shape)) for a in arguments if hasattr(a, "shape")])
        return 0

    def shapes(self, call: Any) -> list[list[tuple[int, ...]]]:
        """The shapes of the tensors of each kernel call."""
        self._shapes = []
        call()
        found, self._shapes = self._shapes, None
        return found

    def run(self, call: Any) -> None:
        """Watch one call."""
        self._names, self._took = [], []
        gc.disable()
        try:
            call()
        finally:
            gc.enable()
        self._runs.append((tuple(self._names), self._took))

    def summary(self) -> dict[str, Any]:
        """Names and median seconds of the kernel calls, those that most runs have in common."""
        common = statistics.mode(names for names, _took in self._runs)
        columns = list(zip(*(took for names, took in self._runs if names == common), strict=True))
        medians = [statistics.median(column) for column in columns]
        floor = _floor(common, medians)
        kernels = [
            (name, max(0.0, took - floor) * 1e-9)
            for name, took in zip(common, medians, strict=True)
            if not name.startswith(_NO_KERNELS)
        ]
        return {
            "kernels": [name for name, _seconds in kernels],
            "seconds": [seconds for _name, seconds in kernels],
            "floor_seconds": floor * 1e-9,
        }


def _floor(names: Sequence[str], medians: Sequence[float]) -> float:
    """What an instruction takes that does nothing, in nanoseconds; 0 where the model has none."""
    built_in = [took for name, took in zip(names, medians, strict=True) if name.startswith(_BUILT_IN)]
    return min(built_in, default=0.0)
