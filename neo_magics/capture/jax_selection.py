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
    """Several arrays in the order of the first ones. ONNX's TopK keeps equal ones in their order."""
    axis, keys = int(step.params["dimension"]), int(step.params.get("num_keys", 1))
    values = list(step.inputs)
    for number in reversed(range(keys)):
        truths = step.dtypes[number] == np.bool_
        key = step.cast(values[number], np.int32) if truths else values[number]
        found = step.maker.add("TopK", key, step.whole(step.shapes[0][axis]), outputs=2, axis=axis, largest=0)
        first = step.cast(found[0], np.bool_) if truths else found[0]
        values = [
            first if k == number else step.add("GatherElements", each, found[1], axis=axis)
            for k, each in enumerate(values)
        ]
    return values


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
    if not inside:
        return update
    if step.dtypes[0] != np.bool_:  # ONNX Runtime has no Where of booleans
        return step.add("Where", inside, update, x)
    return step.add("Or", step.add("And", inside, update), step.add("And", step.add("Not", inside), x))


def _shift_up(step: Step) -> str:
    """By a product with a power of two, in 64 bits: ONNX shifts no numbers that have a sign."""
    if step.dtypes[0].kind == "u":
        return step.add("BitShift", *step.inputs, direction="LEFT")
    power = step.add("Pow", step.maker.constant(2.0, np.float64), step.cast(step.inputs[1], np.float64))
    moved = step.add("Mul", step.cast(step.inputs[0], np.int64), step.cast(power, np.int64))
    return step.cast(moved, step.dtypes[0])


def _shift_down(step: Step) -> str:
    """By the floor of a quotient with a power of two, which keeps the sign."""
    if step.dtypes[0].kind == "u":
        return _shift_zeros(step)
    wide = [step.cast(each, np.float64) for each in step.inputs]
    power = step.add("Pow", step.maker.constant(2.0, np.float64), wide[1])
    return step.cast(step.cast(step.add("Floor", step.add("Div", wide[0], power)), np.int64), step.dtypes[0])


def _shift_zeros(step: Step) -> str:
    """Downwards, with zeros from above: as numbers without a sign."""
    plain = np.dtype(f"u{step.dtypes[0].itemsize}")
    if plain.itemsize == 2:
        raise NotImplementedError("of 16 bits")
    moved = step.add("BitShift", *(step.cast(each, plain) for each in step.inputs), direction="RIGHT")
    return step.cast(moved, step.dtypes[0])


def _arctangent(step: Step) -> str:
    """atan2 by the quotient's arctangent, moved by half a turn where the second number is negative.

    Zeros have signs here, and two infinities are like two ones.
    """
    y, x = step.inputs
    zero, one = step.number(0), step.number(1)
    endless = step.add("And", step.add("IsInf", y), step.add("IsInf", x))
    y, x = (step.add("Where", endless, step.add("Sign", each), each) for each in (y, x))
    below, behind = _negative(step, y), _negative(step, x)
    turn = step.add("Where", below, step.number(-np.pi), step.number(np.pi))
    upright = step.add("Equal", x, zero)
    plain = step.add("Atan", step.add("Div", y, step.add("Where", upright, one, x)))
    moved = step.add("Where", step.add("Less", x, zero), step.add("Add", plain, turn), plain)
    nowhere = step.add("Where", behind, turn, y)
    quarter = step.add("Mul", turn, step.number(0.5))
    straight = step.add("Where", step.add("Equal", y, zero), nowhere, quarter)
    unknown = step.add("IsNaN", step.add("Add", x, y))
    return step.add("Where", step.add("And", upright, step.add("Not", unknown)), straight, moved)


def _negative(step: Step, x: str) -> str:
    """Whether the sign is one of a negative number: -0 has one, and its reciprocal is -inf."""
    zero = step.number(0)
    return step.add("Or", step.add("Less", x, zero), step.add("Less", step.add("Reciprocal", x), zero))


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
    "shift_left": _shift_up,
    "shift_right_arithmetic": _shift_down,
    "shift_right_logical": _shift_zeros,
    "atan2": _arctangent,
    "cbrt": _cube_root,
    **{name: _running(name) for name in ("cumprod", "cummax", "cummin")},
}
