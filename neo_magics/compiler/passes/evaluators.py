"""What operators compute, in NumPy: for those whose operands may all be constant.

An evaluator gets the call, for its attributes and numbers, and the arrays of its tensors. None: this form of
the operator is left to TVM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

Evaluate = Callable[[Any, Sequence[Array]], Array | None]


def _elementwise(function: Callable[..., Array]) -> Evaluate:
    return lambda _call, arrays: function(*arrays)


def _reshaped(call: Any, arrays: Sequence[Array]) -> Array:
    shape = calls.static_shape(call)
    assert shape is not None  # checked by the pass before it evaluates
    return arrays[0].reshape(shape)


def _broadcast(call: Any, arrays: Sequence[Array]) -> Array:
    shape = calls.static_shape(call)
    assert shape is not None
    return np.broadcast_to(arrays[0], shape)


def _permuted(call: Any, arrays: Sequence[Array]) -> Array:
    axes = call.attrs.axes
    return arrays[0].transpose(None if axes is None else calls.numbers(axes))


def _joined(call: Any, arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays, axis=int(call.attrs.axis or 0))


def _full(call: Any, arrays: Sequence[Array]) -> Array:
    shape = calls.static_shape(call)
    assert shape is not None
    return np.broadcast_to(arrays[0], shape)


def _filled(value: int) -> Evaluate:
    return lambda call, _arrays: np.full(calls.static_shape(call) or (), value)


def _counted(call: Any, _arrays: Sequence[Array]) -> Array | None:
    bounds = _whole_numbers(call.args)
    return None if bounds is None else np.arange(*bounds)


def _taken(call: Any, arrays: Sequence[Array]) -> Array | None:
    """Only places that there are: TVM has several opinions of others."""
    if len(arrays) != 2:
        return None
    data, places = arrays
    axis = call.attrs.axis
    size = data.size if axis is None else data.shape[int(axis)]
    if places.size and (places.min() < 0 or places.max() >= size):
        return None
    taken: Array = np.take(data, places, None if axis is None else int(axis))
    return taken


def _slices(call: Any) -> tuple[slice, ...] | None:
    """What strided_slice takes, forward, of each dimension."""
    fields = [calls.integers(operand) for operand in call.args[1:5]]
    known = [field for field in fields if field is not None]
    if len(known) != len(fields):
        return None
    axes, begins, ends, *steps = known
    cuts = [slice(None)] * call.args[0].ty.ndim
    for axis, *cut in zip(axes, begins, ends, steps[0] if steps else [1] * len(axes), strict=True):
        cuts[axis] = slice(*cut)
    return tuple(cuts) if all((cut.step or 1) > 0 for cut in cuts) else None


def _sliced(call: Any, arrays: Sequence[Array]) -> Array | None:
    cuts = _slices(call)
    return None if cuts is None else arrays[0][cuts]


def split_part(call: Any, index: int, array: Array) -> Array:
    """Part `index` of relax.split: into equal parts, or at edges."""
    parts = call.attrs.indices_or_sections
    edges = calls.numbers(parts) if hasattr(parts, "__len__") else int(parts)
    return np.split(array, edges, int(call.attrs.axis))[index]


def _slice_replaced(call: Any, arrays: Sequence[Array]) -> Array | None:
    """slice_scatter: a copy of the data with a slice replaced."""
    bounds = _whole_numbers(call.args[2:5])
    if bounds is None or bounds[2] < 1:
        return None
    made = arrays[0].copy()
    made[(slice(None),) * (int(call.attrs.axis) % made.ndim) + (slice(*bounds),)] = arrays[1]
    return made


def _whole_numbers(operands: Sequence[Any]) -> list[int] | None:
    found = [getattr(operand, "value", operand) for operand in operands]
    return [int(number) for number in found] if all(isinstance(n, int) for n in found) else None


def _divided(_call: Any, arrays: Sequence[Array]) -> Array:
    return np.divide(*arrays)


def _product(_call: Any, arrays: Sequence[Array]) -> Array:
    """In double precision, where floats are multiplied."""
    left, right = (array.astype("float64") if array.dtype.kind == "f" else array for array in arrays)
    return np.asarray(np.matmul(left, right))


def _reduced(function: Callable[..., Array]) -> Evaluate:
    """Over axes; in double precision, where floats are added."""

    def evaluate(call: Any, arrays: Sequence[Array]) -> Array:
        array = arrays[0].astype("float64") if arrays[0].dtype.kind == "f" else arrays[0]
        axes = call.attrs.axis
        over = None if axes is None else tuple(calls.numbers(axes))
        return np.asarray(function(array, axis=over, keepdims=bool(call.attrs.keepdims)))

    return evaluate


_LOGIC = ("logical_and", "logical_or", "logical_xor", "logical_not")

EVALUATORS: dict[str, Evaluate] = {
    "relax.full": _full,
    "relax.zeros": _filled(0),
    "relax.ones": _filled(1),
    "relax.arange": _counted,
    "relax.take": _taken,
    "relax.strided_slice": _sliced,
    "relax.slice_scatter": _slice_replaced,
    "relax.where": _elementwise(np.where),
    "relax.mod": _elementwise(np.fmod),  # the sign of the dividend
    "relax.floor_mod": _elementwise(np.mod),
    "relax.floor_divide": _elementwise(np.floor_divide),
    **{f"relax.{name}": _elementwise(getattr(np, name)) for name in (*calls.COMPARISONS, *_LOGIC)},
    "relax.reshape": _reshaped,
    "relax.expand_dims": _reshaped,
    "relax.squeeze": _reshaped,
    "relax.flatten": _reshaped,
    "relax.broadcast_to": _broadcast,
    "relax.tile": lambda call, arrays: np.tile(arrays[0], calls.numbers(call.attrs.repeats)),
    "relax.permute_dims": _permuted,
    "relax.concat": _joined,
    "relax.astype": lambda _call, arrays: arrays[0],  # the result is cast to the call's dtype
    "relax.add": _elementwise(np.add),
    "relax.subtract": _elementwise(np.subtract),
    "relax.multiply": _elementwise(np.multiply),
    "relax.divide": _divided,
    "relax.power": _elementwise(np.power),
    "relax.maximum": _elementwise(np.maximum),
    "relax.minimum": _elementwise(np.minimum),
    "relax.negative": _elementwise(np.negative),
    "relax.abs": _elementwise(np.abs),
    "relax.exp": _elementwise(np.exp),
    "relax.log": _elementwise(np.log),
    "relax.sqrt": _elementwise(np.sqrt),
    "relax.rsqrt": _elementwise(lambda x: 1 / np.sqrt(x)),
    "relax.square": _elementwise(np.square),
    "relax.tanh": _elementwise(np.tanh),
    "relax.sin": _elementwise(np.sin),
    "relax.cos": _elementwise(np.cos),
    "relax.sigmoid": _elementwise(lambda x: 1 / (1 + np.exp(-x))),
    "relax.nn.relu": _elementwise(lambda x: np.maximum(x, 0)),
    "relax.matmul": _product,
    "relax.sum": _reduced(np.sum),
    "relax.mean": _reduced(np.mean),
    "relax.max": _reduced(np.max),
    "relax.min": _reduced(np.min),
}
CREATED = {"relax.full", "relax.zeros", "relax.ones", "relax.arange"}
# NumPy divides integers into floats and Relax does not; float operators only.
FLOAT_ONLY = {
    "relax.divide",
    "relax.mean",
    "relax.power",
    "relax.rsqrt",
    "relax.sqrt",
    "relax.exp",
    "relax.log",
    "relax.sigmoid",
}
