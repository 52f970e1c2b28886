"""Many rows through a model that takes a fixed number of them, and how many it gets right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from neo_magics.artifact.manifest import TensorSpec
from neo_magics.errors import RuntimeInputError
from neo_magics.runtime.arrays import Array

Run = Callable[[Mapping[str, Array]], dict[str, Array]]


def rows_per_call(inputs: Mapping[str, Array], specs: Sequence[TensorSpec]) -> dict[str, int]:
    """How many rows of each input one call takes, where `inputs` hold the rows of several calls.

    Inputs that already have the model's shape, or do not fit several calls alike, are one call: all rows.
    """
    whole = {name: len(array) if array.ndim else 0 for name, array in inputs.items()}
    fixed = {spec.name: spec.shape[0] for spec in specs if spec.shape and isinstance(spec.shape[0], int)}
    if set(fixed) != set(inputs) or any(rows < 1 for rows in fixed.values()):
        return whole
    rows = {name: int(fixed[name]) for name in inputs}
    calls = {-(-whole[name] // rows[name]) for name in inputs}
    return rows if len(calls) == 1 and calls.pop() > 1 else whole


def first_call(inputs: Mapping[str, Array], rows: Mapping[str, int]) -> dict[str, Array]:
    """The inputs of the first call."""
    return {name: array[: rows[name]] if array.ndim else array for name, array in inputs.items()}


def calls(inputs: Mapping[str, Array], rows: Mapping[str, int]) -> Iterator[dict[str, Array]]:
    """The inputs of every call; the last is filled up by repeating its last row."""
    name = next(iter(inputs))
    count = -(-len(inputs[name]) // rows[name]) if inputs[name].ndim else 1
    for index in range(count):
        yield {
            name: _filled(array[index * rows[name] : (index + 1) * rows[name]], rows[name])
            if array.ndim
            else array
            for name, array in inputs.items()
        }


def accuracy(run: Run, inputs: Mapping[str, Array], labels: Array, rows: Mapping[str, int]) -> float:
    """The share of `labels` (one a row) that the first output names.

    An output of integers names the label itself; of other numbers, by its largest element along the last
    axis. Raises `RuntimeInputError` where rows and labels do not pair up.
    """
    named = [_named(next(iter(run(part).values()))) for part in calls(inputs, rows)]
    found = np.concatenate([np.atleast_1d(part) for part in named])
    total = len(next(iter(inputs.values())))
    found = found[:total] if len(found) > total else found
    if found.shape != labels.shape:
        raise RuntimeInputError(
            f"{list(labels.shape)} labels were given, and the model names {list(found.shape)}.",
            hint="Give one label for each row of the input.",
        )
    return float(np.mean(found == labels))


def _named(output: Array) -> Array:
    if output.dtype.kind in "iub" or output.ndim == 0:
        return output
    return np.asarray(np.argmax(output, axis=-1))


def _filled(part: Array, rows: int) -> Array:
    if len(part) == rows:
        return part
    return np.concatenate([part, np.repeat(part[-1:], rows - len(part), axis=0)])
