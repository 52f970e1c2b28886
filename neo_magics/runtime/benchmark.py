"""The latency of one model, measured as a comparison measures each of its sides."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neo_magics.artifact.manifest import Manifest
from neo_magics.runtime.compare import SECONDS, SideResult
from neo_magics.runtime.machine import cpu_model
from neo_magics.runtime.sides import Side


@dataclass(frozen=True)
class Benchmark:
    """One artifact's figures and the conditions they were taken under."""

    name: str
    target: Mapping[str, Any]
    result: SideResult
    inputs: str
    threads: int
    cores: tuple[int, ...]
    cpu: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "name": self.name,
            "target": dict(self.target),
            "inputs": self.inputs,
            "threads": self.threads,
            "cores": list(self.cores),
            "cpu": self.cpu,
            **self.result.to_dict(),
        }

    def __repr__(self) -> str:
        from neo_magics.runtime.tables import side_rows, threads_text

        conditions = f"{threads_text(self.threads)}, {self.cpu}, {self.inputs} inputs."
        return "\n".join([*side_rows([self.result]), conditions])


def benchmark(
    path: Path,
    x: Any = None,
    *,
    seconds: float = SECONDS,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Benchmark:
    """Measure the artifact at `path` in a fresh process for about `seconds`.

    `x`: inputs as an array, tuple or dict; None: generated ones. Raises as `compare` does.
    """
    from neo_magics.runtime.inputs import choose_inputs
    from neo_magics.runtime.loading import opened
    from neo_magics.runtime.measuring import Conditions, Measurement

    conditions = Conditions.choose(threads, seconds)
    with opened(path) as folder, tempfile.TemporaryDirectory(prefix="neo-magics-") as scratch:
        manifest = Manifest.read(folder)
        inputs, origin = choose_inputs(x, manifest.inputs)
        side = Side.artifact(folder, label=manifest.name)
        with Measurement([side], conditions, Path(scratch), progress or (lambda _text: None)) as measurement:
            measurement.give(inputs)
            measurement.time()
        result = SideResult.of(measurement.results[0])
    return Benchmark(
        manifest.name, manifest.target, result, origin, conditions.threads, conditions.cores, cpu_model()
    )
