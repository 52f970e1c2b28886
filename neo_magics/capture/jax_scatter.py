"""JAX's general gathers, and its scatters (`x.at[…].set`, `add`, `multiply`, `min`, `max`), as ONNX's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neo_magics.capture.jax_places import Windows, places
from neo_magics.capture.jax_step import Converter, Step


def gather_windows(step: Step, fill: Any) -> str:
    """Windows of any size along any axes; `fill`: what those have that do not fit, where the mode says so."""
    numbers, operand = step.params["dimension_numbers"], step.shapes[0]
    sizes = tuple(int(size) for size in step.params["slice_sizes"])
    batched = dict(zip(numbers.operand_batching_dims, numbers.start_indices_batching_dims, strict=True))
    gone = {*numbers.collapsed_slice_dims, *batched}
    windows = Windows(
        operand=operand,
        outer=step.shapes[1][:-1],
        sizes=sizes,
        inner=tuple(size for axis, size in enumerate(sizes) if axis not in gone),
        axes=tuple(numbers.start_index_map),
        batched=batched,
    )
    found, inside = places(step, windows)
    taken = step.add("Gather", step.reshape(step.inputs[0], [-1]), found, axis=0)
    if inside and "FILL" in str(step.params["mode"]).upper():
        taken = step.add("Where", inside, taken, step.maker.constant(fill))
    kept = [int(axis) for axis in numbers.offset_dims]
    rest = [axis for axis in range(len(step.result)) if axis not in kept]
    return step.transpose(taken, [int(axis) for axis in np.argsort([*rest, *kept])])


def _written_windows(step: Step) -> tuple[Windows, list[int]]:
    """The windows, and the updates' axes with those of the places first."""
    numbers, (operand, indices, updates) = step.params["dimension_numbers"], step.shapes
    batched = dict(zip(numbers.operand_batching_dims, numbers.scatter_indices_batching_dims, strict=True))
    kept = [int(axis) for axis in numbers.update_window_dims]
    inner = tuple(updates[axis] for axis in kept)
    gone, left = {*numbers.inserted_window_dims, *batched}, iter(inner)
    sizes = tuple(1 if axis in gone else next(left) for axis in range(len(operand)))
    axes = tuple(numbers.scatter_dims_to_operand_dims)
    rest = [axis for axis in range(len(updates)) if axis not in kept]
    return Windows(operand, indices[:-1], sizes, inner, axes, batched), [*rest, *kept]


def _scatter(reduction: str) -> Converter:
    """Windows that do not fit are written behind the end, and cut off there."""

    def convert(step: Step) -> str:
        if reduction == "none" and step.params.get("update_jaxpr") is not None:
            raise NotImplementedError("of a function of what is there (apply)")
        size, (windows, order) = math.prod(step.shapes[0]), _written_windows(step)
        updates = step.reshape(step.transpose(step.inputs[2], order), [-1])
        spare = step.maker.constant(np.zeros(1, step.dtypes[0]))
        flat = step.add("Concat", step.reshape(step.inputs[0], [-1]), spare, axis=0)
        found, inside = places(step, windows)
        if inside:
            found = step.add("Where", inside, found, step.number(size, np.int64))
        rows = step.reshape(found, [-1, 1])
        written = step.add("ScatterND", flat, rows, updates, reduction=reduction)
        return step.reshape(step.add("Slice", written, step.whole(0), step.whole(size)), step.result)

    return convert


CONVERTERS: dict[str, Converter] = {
    "scatter": _scatter("none"),
    **{f"scatter{mark}{name}": _scatter(name) for name in ("add", "mul", "min", "max") for mark in "-_"},
}
