"""Before and after compilation, measured fairly (decision 6), and what came out."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.manifest import Manifest
from neo_magics.runtime.machine import cpu_model
from neo_magics.runtime.sides import Side

if TYPE_CHECKING:
    from neo_magics.runtime.measuring import Measured, Measurement

__all__ = ["Comparison", "Side", "SideResult", "compare"]

SECONDS = 3.0


@dataclass(frozen=True)
class SideResult:
    """One side's figures. Times are of calls with NumPy arrays in and out, in milliseconds, by round.

    `load_seconds` is from the start of a Python process to a model that can be called, imports included;
    `private_memory_bytes` what of the memory no other process can share (mapped weights can be);
    `accuracy` the share of labels that were right, or None where none were given.
    """

    label: str
    rounds_ms: tuple[tuple[float, ...], ...]
    median_ms: float
    p95_ms: float
    mean_ms: float
    min_ms: float
    spread: float
    size_bytes: int
    load_seconds: float
    memory_bytes: int
    peak_memory_bytes: int
    versions: Mapping[str, str]
    accuracy: float | None = None
    private_memory_bytes: int = 0

    @property
    def samples_ms(self) -> list[float]:
        """All samples, in the order they were taken."""
        return [sample for samples in self.rounds_ms for sample in samples]

    @classmethod
    def of(cls, measured: Measured) -> SideResult:
        """The figures of a finished measurement."""
        from neo_magics.runtime.statistics import summarize

        rounds = tuple(tuple(round(sample, 6) for sample in samples) for samples in measured.samples_ms)
        return cls(
            label=measured.side.label,
            rounds_ms=rounds,
            **asdict(summarize([sample for samples in rounds for sample in samples])),
            size_bytes=measured.side.size_bytes,
            load_seconds=measured.load_seconds,
            memory_bytes=measured.memory_bytes,
            peak_memory_bytes=measured.peak_memory_bytes,
            versions=measured.versions,
            accuracy=measured.accuracy,
            private_memory_bytes=measured.private_memory_bytes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `samples_ms` holds all samples in one list, `round_sizes` their number by round."""
        body = asdict(self)
        del body["rounds_ms"]
        return {
            **body,
            "samples_ms": self.samples_ms,
            "round_sizes": [len(samples) for samples in self.rounds_ms],
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> SideResult:
        """The inverse of `to_dict`."""
        values, samples = {**body}, iter(body["samples_ms"])
        sizes = values.pop("round_sizes")
        del values["samples_ms"]
        return cls(rounds_ms=tuple(tuple(next(samples) for _ in range(size)) for size in sizes), **values)


@dataclass(frozen=True)
class Comparison:
    """Two sides measured together. `ratio` is median before over median after: above 1 is faster.

    `ratio_interval` holds 95 % of what the rounds support, and the usual difference between two processes
    of one model (`statistics.PROCESS_SPREAD`). `difference` compares the outputs: `max_abs`, `max_rel` (a
    share of the largest value), `within_tolerance`, and `outputs` one by one.
    """

    before: SideResult
    after: SideResult
    ratio: float
    ratio_interval: tuple[float, float]
    verdict: str
    difference: Mapping[str, Any]
    inputs: str
    threads: int
    cores: tuple[int, ...]
    rounds: int
    cpu: str
    load_average: float
    python: str
    created: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain |= {"ratio_interval": list(self.ratio_interval), "cores": list(self.cores)}
        plain |= {"before": self.before.to_dict(), "after": self.after.to_dict()}
        return {**plain, "difference": dict(self.difference)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Comparison:
        """The inverse of `to_dict`."""
        low, high = body["ratio_interval"]
        sides = {name: SideResult.from_dict(body[name]) for name in ("before", "after")}
        known = {f.name: body[f.name] for f in fields(cls)}
        return cls(**{**known, **sides, "ratio_interval": (low, high), "cores": tuple(body["cores"])})

    def __repr__(self) -> str:
        from neo_magics.runtime.tables import comparison_text

        return comparison_text(self)


def compare(
    before: Side,
    after: Side,
    x: Any = None,
    *,
    labels: Any = None,
    seconds: float = SECONDS,
    rounds: int | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Measure `before` (a source model) and `after` (an artifact) against each other.

    Each runs in a fresh process on the same `threads` cores with the same inputs, is warmed up until it gets
    no faster, and is timed in rounds that take turns, within about `seconds` in all (a round has at least
    three calls, so slow models take longer). `x`: an array, tensor, tuple or dict; None: the captured
    examples, else generated ones. Where `x` holds the rows of several calls, the first call's are timed.
    `labels`, one a row, ask for accuracy.

    Raises `RuntimeInputError` or `ExecutionError` where a side cannot be run, with the reason.
    """
    from neo_magics.runtime.evaluation import first_call, rows_per_call
    from neo_magics.runtime.inputs import choose_inputs
    from neo_magics.runtime.loading import opened
    from neo_magics.runtime.measuring import Conditions, Measurement

    conditions = Conditions.choose(threads, seconds, rounds)
    load_average = os.getloadavg()[0]
    with opened(after.folder) as folder, tempfile.TemporaryDirectory(prefix="neo-magics-") as scratch:
        manifest = Manifest.read(folder)
        specs = manifest.inputs
        inputs, origin = choose_inputs(x, specs, before.folder)
        rows = rows_per_call(inputs, specs)
        with Measurement([before, after], conditions, Path(scratch), progress or _quiet) as measurement:
            measurement.give(first_call(inputs, rows))
            difference = _difference(measurement, (manifest.verification or {}).get("rounding"))
            if labels is not None:
                measurement.evaluate(inputs, _labels(labels), rows)
            measurement.time()
    return _comparison(measurement, difference, origin, load_average)


def _quiet(_text: str) -> None:
    """No progress is wanted."""


def _labels(labels: Any) -> Any:
    import numpy as np

    from neo_magics.capture.inputs import to_numpy

    return to_numpy(np.asarray(labels) if isinstance(labels, list | tuple) else labels, "labels").reshape(-1)


def _difference(measurement: Measurement, rounding: Mapping[str, float] | None) -> dict[str, Any]:
    from neo_magics.runtime.exchange import load_arrays
    from neo_magics.runtime.numerics import differences

    expected, results = map(load_arrays, measurement.outputs())
    if set(expected) != set(results) and len(expected) == len(results):
        expected = dict(zip(results, expected.values(), strict=True))  # the frameworks name them differently
    found = differences(expected, results, rounding=rounding)
    return {
        "max_abs": max((each.max_abs for each in found), default=0.0),
        "max_rel": max((each.max_rel for each in found), default=0.0),
        "within_tolerance": not any(each.problem for each in found),
        "outputs": [each.to_dict() for each in found],
    }


def _comparison(
    measurement: Measurement, difference: dict[str, Any], origin: str, load_average: float
) -> Comparison:
    from neo_magics.runtime.statistics import ratio_interval, verdict

    before, after = map(SideResult.of, measurement.results)
    ratio = before.median_ms / after.median_ms
    low, high = ratio_interval(before.rounds_ms, after.rounds_ms)
    interval = (min(low, ratio), max(high, ratio))
    return Comparison(
        before=before,
        after=after,
        ratio=ratio,
        ratio_interval=interval,
        verdict=verdict(ratio, interval),
        difference=difference,
        inputs=origin,
        threads=measurement.conditions.threads,
        cores=measurement.conditions.cores,
        rounds=len(before.rounds_ms),
        cpu=cpu_model(),
        load_average=round(load_average, 2),
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
