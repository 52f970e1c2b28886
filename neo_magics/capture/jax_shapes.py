"""JAX's primitives that move and pick elements, in terms of ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neo_magics.capture.jax_scatter import gather_windows
from neo_magics.capture.jax_step import Converter, Step


def _broadcast(step: Step) -> str:
    kept = dict(zip(step.params["broadcast_dimensions"], step.shapes[0], strict=True))
    aligned = [kept.get(axis, 1) for axis in range(len(step.result))]
    value = step.reshape(step.inputs[0], aligned)
    return value if aligned == list(step.result) else step.add("Expand", value, step.whole(*step.result))


def _reshape(step: Step) -> str:
    if step.params.get("dimensions") is not None:
        raise NotImplementedError("in another order of dimensions")
    return step.reshape(step.inputs[0], step.result)


def _transpose(step: Step) -> str:
    return step.transpose(step.inputs[0], step.params["permutation"])


def _reverse(step: Step) -> str:
    axes = list(step.params["dimensions"])
    count = len(axes)
    ends = step.whole(*[-(2**31)] * count)
    return step.add(
        "Slice", step.inputs[0], step.whole(*[-1] * count), ends, step.whole(*axes), step.whole(*[-1] * count)
    )


def _slice(step: Step) -> str:
    starts, limits = step.params["start_indices"], step.params["limit_indices"]
    strides = step.params["strides"] or [1] * len(starts)
    axes = step.whole(*range(len(starts)))
    return step.add(
        "Slice", step.inputs[0], step.whole(*starts), step.whole(*limits), axes, step.whole(*strides)
    )


def _dynamic_slice(step: Step) -> str:
    """A gather along each axis; starts beyond the end are moved back, as XLA does."""
    x = step.inputs[0]
    for axis, (size, whole) in enumerate(zip(step.params["slice_sizes"], step.shapes[0], strict=True)):
        if size == whole:
            continue
        start = step.cast(step.inputs[1 + axis], np.int64)
        limit = step.maker.constant(np.int64(whole - size))
        clamped = step.add("Min", step.add("Max", start, step.maker.constant(np.int64(0))), limit)
        index = step.add("Add", clamped, step.whole(*range(size)))
        x = step.add("Gather", x, index, axis=axis)
    return x


def _pad(step: Step) -> str:
    config = step.params["padding_config"]
    x = step.spread(step.inputs[0], step.shapes[0], [1 + inner for *_ends, inner in config], step.inputs[1])
    ends = [low for low, _high, _inner in config] + [high for _low, high, _inner in config]
    return step.add("Pad", x, step.whole(*ends), step.inputs[1])


def _concatenate(step: Step) -> str:
    return step.add("Concat", *step.inputs, axis=step.params["dimension"])


def _split(step: Step) -> Sequence[str]:
    sizes = step.whole(*step.params["sizes"])
    found = step.maker.add(
        "Split", step.inputs[0], sizes, outputs=len(step.params["sizes"]), axis=step.params["axis"]
    )
    return [found] if isinstance(found, str) else list(found)


def _iota(step: Step) -> str:
    axis = step.params["dimension"]
    row = np.arange(step.result[axis]).reshape([-1 if k == axis else 1 for k in range(len(step.result))])
    return step.maker.constant(np.broadcast_to(row, step.result).astype(step.result_dtype))


def _gather(step: Step) -> str:
    """Whole slices along one axis, as `x[indices]` and `jnp.take` make them, are a Gather as well."""
    numbers, sizes, shape = step.params["dimension_numbers"], step.params["slice_sizes"], step.shapes[0]
    axes = tuple(numbers.start_index_map)
    rest = [size for axis, size in enumerate(shape) if axis not in axes]
    single = len(axes) == 1 and tuple(numbers.collapsed_slice_dims) == axes
    batching = getattr(numbers, "operand_batching_dims", ())
    whole = single and not batching and [s for k, s in enumerate(sizes) if k not in axes] == rest
    axis, rows = axes[0] if axes else 0, len(step.shapes[1]) - 1
    kept = tuple(k for k in range(len(step.result)) if not axis <= k < axis + rows)
    if not whole or sizes[axis] != 1 or tuple(numbers.offset_dims) != kept:
        return gather_windows(step, _fill(step))
    index = step.cast(step.reshape(step.inputs[1], step.shapes[1][:-1]), np.int64)
    low, high = step.maker.constant(np.int64(0)), step.maker.constant(np.int64(shape[axis] - 1))
    inside = step.add("Min", step.add("Max", index, low), high)
    taken = step.add("Gather", step.inputs[0], inside, axis=axis)
    if "FILL" not in str(step.params["mode"]).upper():
        return taken
    valid = step.reshape(
        step.add("Equal", index, inside), [*step.shapes[1][:-1], *[1] * (len(shape) - 1 - axis)]
    )
    return step.add("Where", valid, taken, step.maker.constant(_fill(step)))


def _fill(step: Step) -> Any:
    """What JAX gives out of bounds: NaN, the smallest whole number, the largest without sign."""
    given, dtype = step.params.get("fill_value"), step.dtypes[0]
    if given is not None:
        return np.asarray(given, dtype)
    if dtype.kind == "f":
        return np.asarray(np.nan, dtype)
    if dtype.kind == "b":
        return np.asarray(True)
    return np.asarray(np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max, dtype)


CONVERTERS: dict[str, Converter] = {
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "squeeze": lambda step: step.reshape(step.inputs[0], step.result),
    "expand_dims": lambda step: step.reshape(step.inputs[0], step.result),
    "transpose": _transpose,
    "rev": _reverse,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "pad": _pad,
    "concatenate": _concatenate,
    "split": _split,
    "iota": _iota,
    "gather": _gather,
}
