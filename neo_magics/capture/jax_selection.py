"""JAX's primitives that repeat, order and choose elements, and write some of them, in terms of ONNX's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neo_magics.capture.jax_step import Converter, Step


def _stack(step: Step) -> str:
    axis = int(step.params.get("axis", step.params.get("dimension", 0)))
    apart = [step.add("Unsqueeze", each, step.whole(axis)) for each in step.inputs]
    return step.add("Concat", *apart, axis=axis)


def _tile(step: Step) -> str:
    reps = [int(count) for count in step.params["reps"]]
    rank = max(len(reps), len(step.shapes[0]))
    reps = [1] * (rank - len(reps)) + reps
    whole = [1] * (rank - len(step.shapes[0])) + list(step.shapes[0])
    return step.add("Tile", step.reshape(step.inputs[0], whole), step.whole(*reps))


def _ordered(step: Step) -> Sequence[str]:
    """Several arrays in the order of the first. ONNX's TopK keeps equal ones in their order."""
    axis, keys = int(step.params["dimension"]), int(step.params.get("num_keys", 1))
    if keys != 1:
        raise NotImplementedError("by several keys")
    count = step.whole(step.shapes[0][axis])
    key = step.inputs[0] if step.dtypes[0] != np.bool_ else step.cast(step.inputs[0], np.int32)
    values, places = step.maker.add("TopK", key, count, outputs=2, axis=axis, largest=0)
    first = values if step.dtypes[0] != np.bool_ else step.cast(values, np.bool_)
    return [first, *(step.add("GatherElements", each, places, axis=axis) for each in step.inputs[1:])]


def _updated(step: Step) -> str:
    """A part of known size at a place that is computed; places beyond the end are moved back, as XLA does."""
    x, update = step.inputs[:2]
    inside = ""
    for axis, (size, whole) in enumerate(zip(step.shapes[1], step.shapes[0], strict=True)):
        start = step.cast(step.inputs[2 + axis], np.int64)
        limit = step.maker.constant(np.int64(whole - size))
        start = step.add("Min", step.add("Max", start, step.maker.constant(np.int64(0))), limit)
        place = step.add("Sub", step.whole(*range(whole)), start)
        last = step.maker.constant(np.int64(size - 1))
        at = step.add("Min", step.add("Max", place, step.maker.constant(np.int64(0))), last)
        update = step.add("Gather", update, at, axis=axis)
        here = step.reshape(
            step.add("Equal", place, at), [-1 if k == axis else 1 for k in range(len(step.result))]
        )
        inside = step.add("And", inside, here) if inside else here
    return step.add("Where", inside, update, x) if inside else update


def _shift(upwards: bool) -> Converter:
    """By products and floors of quotients with powers of two, which ONNX has for numbers with a sign."""

    def convert(step: Step) -> str:
        if step.dtypes[0].kind == "u":
            return step.add("BitShift", *step.inputs, direction="LEFT" if upwards else "RIGHT")
        wide = [step.cast(each, np.float64) for each in step.inputs]
        power = step.add("Pow", step.maker.constant(2.0, np.float64), wide[1])
        made = (
            step.add("Mul", wide[0], power) if upwards else step.add("Floor", step.add("Div", wide[0], power))
        )
        return step.cast(step.cast(made, np.int64), step.dtypes[0])

    return convert


def _arctangent(step: Step) -> str:
    """atan2 by the quotient's arctangent, moved by half a turn where the second number is negative."""
    y, x = step.inputs
    zero, half, one = step.number(0), step.number(np.pi), step.number(1)
    turn = step.add("Where", step.add("Less", y, zero), step.add("Neg", half), half)
    upright = step.add("Equal", x, zero)
    plain = step.add("Atan", step.add("Div", y, step.add("Where", upright, one, x)))
    moved = step.add("Where", step.add("Less", x, zero), step.add("Add", plain, turn), plain)
    straight = step.add("Mul", step.add("Sign", y), step.number(np.pi / 2))
    return step.add("Where", upright, straight, moved)


def _cube_root(step: Step) -> str:
    x = step.inputs[0]
    size = step.add("Pow", step.add("Abs", x), step.number(1 / 3))
    return step.add("Mul", step.add("Sign", x), size)


def _running_product(step: Step) -> str:
    """Each place from those before it, one after the other."""
    axis, reverse = int(step.params["axis"]), bool(step.params["reverse"])
    operator = {"cumprod": "Mul", "cummax": "Max", "cummin": "Min"}[str(step.params["operator"])]
    size, index = step.shapes[0][axis], step.maker.constant
    rows = [
        step.add("Gather", step.inputs[0], index(np.array([k], np.int64)), axis=axis) for k in range(size)
    ]
    rows = rows[::-1] if reverse else rows
    for place in range(1, size):
        rows[place] = step.add(operator, rows[place - 1], rows[place])
    return step.add("Concat", *(rows[::-1] if reverse else rows), axis=axis)


def _running(name: str) -> Converter:
    def convert(step: Step) -> str:
        step.params["operator"] = name
        if step.shapes[0][int(step.params["axis"])] > _MOST:
            raise NotImplementedError(f"over more than {_MOST} places")
        return _running_product(step)

    return convert


_MOST = 256
CONVERTERS: dict[str, Converter] = {
    "stack": _stack,
    "tile": _tile,
    "sort": _ordered,
    "dynamic_update_slice": _updated,
    "shift_left": _shift(upwards=True),
    "shift_right_arithmetic": _shift(upwards=False),
    "atan2": _arctangent,
    "cbrt": _cube_root,
    **{name: _running(name) for name in ("cumprod", "cummax", "cummin")},
}
