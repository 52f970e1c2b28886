"""JAX's primitives that move and pick elements, in terms of ONNX's operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neo_magics.capture.jax_scatter import gather_windows
from neo_magics.capture.jax_sizes import is_known
from neo_magics.capture.jax_step import Converter, Step

_END = 2**31 - 1  # behind the last element


def _broadcast(step: Step) -> str:
    kept = dict(zip(step.params["broadcast_dimensions"], step.shapes[0], strict=True))
    aligned = [kept.get(axis, 1) for axis in range(len(step.result))]
    value = step.reshape(step.inputs[0], aligned)
    if aligned == list(step.result):
        return value
    there = [1 if not is_known(own) else size for own, size in zip(aligned, step.result, strict=True)]
    return step.add("Expand", value, step.whole(*there))


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
    whole = zip(starts, limits, strides, step.shapes[0], strict=True)
    axes = [axis for axis, (start, *rest, size) in enumerate(whole) if start != 0 or rest != [size, 1]]
    if not axes:
        return step.inputs[0]
    ends = ([part[axis] for axis in axes] for part in (starts, limits))
    steps = step.whole(*(strides[axis] for axis in axes))
    return step.add("Slice", step.inputs[0], *(step.whole(*end) for end in ends), step.whole(*axes), steps)


def _dynamic_slice(step: Step) -> str:
    """A gather along each axis; starts beyond the end are moved back, as XLA does."""
    x = step.inputs[0]
    for axis, size in enumerate(step.params["slice_sizes"]):
        if size != step.shapes[0][axis]:
            x = _window(step, x, axis, size, step.inputs[1 + axis])
    return x


def _window(step: Step, x: str, axis: int, size: int, start: str) -> str:
    """`size` elements along `axis`, moved back inside."""
    if not is_known(size):
        raise NotImplementedError("of a free size from a place that is computed")
    limit = step.reshape(step.whole(step.shapes[0][axis] - size), [])
    first = step.add("Max", step.cast(start, np.int64), step.maker.constant(np.int64(0)))
    index = step.add("Add", step.add("Min", first, limit), step.whole(*range(size)))
    return step.add("Gather", x, index, axis=axis)


def _pad(step: Step) -> str:
    config = step.params["padding_config"]
    x = step.spread(step.inputs[0], step.shapes[0], [1 + inner for *_ends, inner in config], step.inputs[1])
    ends = [low for low, _high, _inner in config] + [high for _low, high, _inner in config]
    return step.add("Pad", x, step.whole(*ends), step.inputs[1])


def _concatenate(step: Step) -> str:
    axis = step.params["dimension"]
    pairs = zip(step.inputs, step.shapes, strict=True)
    parts = [name for name, shape in pairs if not is_known(shape[axis]) or shape[axis] > 0]
    return step.add("Concat", *parts, axis=axis) if len(parts) > 1 else parts[0]


def _split(step: Step) -> Sequence[str]:
    sizes = step.whole(*step.params["sizes"])
    found = step.maker.add(
        "Split", step.inputs[0], sizes, outputs=len(step.params["sizes"]), axis=step.params["axis"]
    )
    return [found] if isinstance(found, str) else list(found)


def _iota(step: Step) -> str:
    axis = step.params["dimension"]
    if not all(map(is_known, step.result)):
        return _free_iota(step, axis)
    row = np.arange(step.result[axis]).reshape([-1 if k == axis else 1 for k in range(len(step.result))])
    return step.maker.constant(np.broadcast_to(row, step.result).astype(step.result_dtype))


def _free_iota(step: Step, axis: int) -> str:
    ends = (step.maker.constant(np.int64(0)), step.reshape(step.whole(step.result[axis]), []))
    row = step.add("Range", *ends, step.maker.constant(np.int64(1)))
    row = step.reshape(row, [-1 if k == axis else 1 for k in range(len(step.result))])
    others = step.whole(*(1 if k == axis else size for k, size in enumerate(step.result)))
    return step.cast(step.add("Expand", row, others), step.result_dtype)


def _one_window(step: Step) -> str:
    """A gather of a single window: `x[:, 1:3]` is one where a size is free."""
    x, (known, sizes) = step.inputs[0], (step.known[1], step.params["slice_sizes"])
    for column, axis in enumerate(step.params["dimension_numbers"].start_index_map):
        size, whole = sizes[axis], step.shapes[0][axis]
        if size == whole:
            continue
        if known is None:
            start = step.add("Gather", step.inputs[1], step.maker.constant(np.int64(column)), axis=0)
            x = _window(step, x, axis, size, start)
            continue
        first = int(known[column])
        end = _END if first + size == whole else first + size
        x = step.add("Slice", x, step.whole(first), step.whole(end), step.whole(axis))
    return step.reshape(x, step.result)


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
    fills = "FILL" in str(step.params["mode"]).upper()
    promised = "PROMISE" in str(step.params["mode"]).upper()
    if len(step.shapes[1]) == 1 and promised and not whole:
        return _one_window(step)
    if not whole or sizes[axis] != 1 or tuple(numbers.offset_dims) != kept:
        return gather_windows(step, _fill(step))
    index = step.cast(step.reshape(step.inputs[1], step.shapes[1][:-1]), np.int64)
    low, high = step.maker.constant(np.int64(0)), step.reshape(step.whole(shape[axis] - 1), [])
    inside = step.add("Min", step.add("Max", index, low), high)
    taken = step.add("Gather", step.inputs[0], inside, axis=axis)
    if not fills:
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
    "dim_as_value": lambda step: step.cast(
        step.reshape(step.whole(step.params["dim"]), []), step.result_dtype
    ),
    "gather": _gather,
}
