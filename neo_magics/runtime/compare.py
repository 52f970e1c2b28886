"""Before and after compilation, measured fairly (decision 6), and what came out."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.manifest import Manifest
from neo_magics.runtime.comparison import Comparison, Rival, SideResult
from neo_magics.runtime.machine import cpu_model
from neo_magics.runtime.sides import ARTIFACT, Side

if TYPE_CHECKING:
    from neo_magics.runtime.measuring import Measurement

__all__ = ["Comparison", "Rival", "Side", "SideResult", "compare"]

SECONDS = 3.0


def compare(
    before: Side,
    after: Side | Sequence[Side],
    x: Any = None,
    *,
    labels: Any = None,
    seconds: float = SECONDS,
    rounds: int | None = None,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Measure `before` (a source model) and `after` (an artifact) against each other, or several artifacts.

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
    rivals = [after] if isinstance(after, Side) else list(after)
    with opened(rivals[0].folder) as folder, tempfile.TemporaryDirectory(prefix="neo-magics-") as scratch:
        specs = Manifest.read(folder).inputs
        inputs, origin = choose_inputs(x, specs, before.folder)
        rows = rows_per_call(inputs, specs)
        with Measurement([before, *rivals], conditions, Path(scratch), progress or _quiet) as measurement:
            measurement.give(first_call(inputs, rows))
            differences = _differences(measurement, [_known(side) for side in rivals])
            if labels is not None:
                measurement.evaluate(inputs, _labels(labels), rows)
            measurement.time()
    return _comparison(measurement, differences, origin, load_average)


def _quiet(_text: str) -> None:
    """No progress is wanted."""


def _labels(labels: Any) -> Any:
    import numpy as np

    from neo_magics.capture.inputs import to_numpy

    return to_numpy(np.asarray(labels) if isinstance(labels, list | tuple) else labels, "labels").reshape(-1)


def _differences(
    measurement: Measurement, known: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Each side's outputs against the first's; `known` is each one's precision and verification."""
    from neo_magics.runtime.exchange import load_arrays

    expected, *results = map(load_arrays, measurement.outputs())
    return [_difference(expected, found, *each) for found, each in zip(results, known, strict=True)]


def _known(side: Side) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Of an artifact, its precision and its verification, which says what its source model rounds."""
    from neo_magics.runtime.loading import opened

    if side.kind != ARTIFACT:
        return {}, {}
    with opened(side.folder) as folder:
        manifest = Manifest.read(folder)
        return manifest.precision, manifest.verification or {}


def _difference(
    expected: dict[str, Any],
    results: dict[str, Any],
    precision: Mapping[str, Any],
    verification: Mapping[str, Any],
) -> dict[str, Any]:
    from neo_magics.runtime.numerics import differences

    if set(expected) != set(results) and len(expected) == len(results):
        expected = dict(zip(results, expected.values(), strict=True))  # the frameworks name them differently
    lowest = str(precision.get("dtype") or verification.get("precision", ""))
    found = differences(expected, results, precision=lowest, rounding=verification.get("rounding"))
    return {
        "max_abs": max((each.max_abs for each in found), default=0.0),
        "max_rel": max((each.max_rel for each in found), default=0.0),
        "within_tolerance": not any(each.problem for each in found),
        "outputs": [each.to_dict() for each in found],
        "precision": dict(precision),
    }


def _comparison(
    measurement: Measurement, differences: list[dict[str, Any]], origin: str, load_average: float
) -> Comparison:
    before, *others = map(SideResult.of, measurement.results)
    pairs = zip(others, differences, strict=True)
    first, *rest = (_rival(before, side, difference) for side, difference in pairs)
    return Comparison(
        before=before,
        after=first.side,
        ratio=first.ratio,
        ratio_interval=first.ratio_interval,
        verdict=first.verdict,
        difference=first.difference,
        inputs=origin,
        threads=measurement.conditions.threads,
        cores=measurement.conditions.cores,
        rounds=len(before.rounds_ms),
        cpu=cpu_model(),
        load_average=round(load_average, 2),
        python=platform.python_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        others=tuple(rest),
    )


def _rival(before: SideResult, side: SideResult, difference: dict[str, Any]) -> Rival:
    from neo_magics.runtime.statistics import ratio_interval, verdict

    ratio = before.median_ms / side.median_ms
    low, high = ratio_interval(before.rounds_ms, side.rounds_ms)
    interval = (min(low, ratio), max(high, ratio))
    return Rival(side, ratio, interval, verdict(ratio, interval), difference)
