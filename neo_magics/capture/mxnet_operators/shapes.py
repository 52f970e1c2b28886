"""Moving elements: reshaping, slicing, joining, choosing; and reductions."""

from __future__ import annotations

from collections.abc import Sequence

from neo_magics.capture.mxnet_file import Node
from neo_magics.capture.mxnet_operators.layer import Check, Converter, Layer, kinds, several, unset

_LARGE = 2**31 - 1


def _reduce(operator: str) -> Converter:
    def convert(x: Layer) -> str:
        axes, keep = x.node.value("axis"), int(x.node.flag("keepdims"))
        if axes is None or axes in ((), []):
            return x.add(operator, x.inputs[0], keepdims=keep)
        listed = [int(a) for a in (axes if isinstance(axes, tuple | list) else (axes,))]
        if operator == "ReduceSum":
            return x.add(operator, x.inputs[0], x.whole(*listed), keepdims=keep)
        return x.add(operator, x.inputs[0], axes=listed, keepdims=keep)

    return convert


def _batch_dot(x: Layer) -> str:
    def side(index: int, flag: str) -> str:
        turned = x.node.flag(flag)
        perm = [0, 2, 1] if x.node.operator == "batch_dot" else [1, 0]
        return x.add("Transpose", x.inputs[index], perm=perm) if turned else x.inputs[index]

    return x.add("MatMul", side(0, "transpose_a"), side(1, "transpose_b"))


def _transpose(x: Layer) -> str:
    axes = x.node.sizes("axes")
    return x.add("Transpose", x.inputs[0], **({"perm": axes} if axes else {}))


def _slice_axis(x: Layer) -> str:
    begin, end = x.node.value("begin", 0), x.node.value("end")
    bounds = (x.whole(int(begin or 0)), x.whole(_LARGE if end is None else int(end)))
    return x.add("Slice", x.inputs[0], *bounds, x.whole(x.axis(0)))


def _slice(x: Layer) -> str:
    begins, ends = (list(x.node.value(key)) for key in ("begin", "end"))
    first = x.whole(*[int(b or 0) for b in begins])
    last = x.whole(*[_LARGE if e is None else int(e) for e in ends])
    return x.add("Slice", x.inputs[0], first, last, x.whole(*range(len(begins))))


def _split(x: Layer) -> Sequence[str]:
    count, axis = int(x.node.value("num_outputs")), x.axis(1)
    made = x.maker.add("Split", x.inputs[0], outputs=count, axis=axis)
    parts = [made] if isinstance(made, str) else list(made)
    return [x.add("Squeeze", part, x.whole(axis)) for part in parts] if x.node.flag("squeeze_axis") else parts


def _stack(x: Layer) -> str:
    axis = x.axis(0)
    return x.add("Concat", *[x.add("Unsqueeze", each, x.whole(axis)) for each in x.inputs], axis=axis)


def _squeeze(x: Layer) -> str:
    axes = x.node.sizes("axis") if x.node.value("axis") is not None else []
    return x.add("Squeeze", x.inputs[0], *([x.whole(*axes)] if axes else []))


def _pad(x: Layer) -> str:
    widths, mode = x.node.sizes("pad_width"), str(x.node.value("mode", "constant"))
    pads = x.whole(*widths[::2], *widths[1::2])
    if mode != "constant":
        return x.add("Pad", x.inputs[0], pads, mode=mode)
    return x.add("Pad", x.inputs[0], pads, x.real(float(x.node.value("constant_value", 0.0))))


def _argument(operator: str) -> Converter:
    """MXNet gives positions as floats."""

    def convert(x: Layer) -> str:
        made = x.add(operator, x.inputs[0], axis=x.axis(-1), keepdims=int(x.node.flag("keepdims")))
        return x.add("Cast", made, to=1)

    return convert


def _take(x: Layer) -> str:
    return x.add("Gather", x.inputs[0], x.add("Cast", x.inputs[1], to=7), axis=x.axis(0))


def _top(x: Layer) -> Sequence[str]:
    kind = str(x.node.value("ret_typ", "indices"))
    largest = int(not x.node.flag("is_ascend"))
    count = x.whole(int(x.node.value("k", 1)))
    values, places = x.maker.add("TopK", x.inputs[0], count, outputs=2, axis=x.axis(-1), largest=largest)
    found = {"value": [values], "indices": [x.add("Cast", places, to=1)]}
    return found.get(kind) or [values, x.add("Cast", places, to=1)]


OPERATORS: dict[str, Converter] = {
    **dict.fromkeys(("Flatten", "flatten"), lambda x: x.add("Flatten", x.inputs[0])),
    **dict.fromkeys(
        ("Reshape", "reshape"), lambda x: x.add("Reshape", x.inputs[0], x.whole(*x.node.sizes("shape")))
    ),
    **dict.fromkeys(
        ("Concat", "concat"), lambda x: x.add("Concat", *x.inputs, axis=int(x.node.value("dim", 1)))
    ),
    "mean": _reduce("ReduceMean"),
    **dict.fromkeys(("sum", "sum_axis"), _reduce("ReduceSum")),
    **dict.fromkeys(("max", "max_axis"), _reduce("ReduceMax")),
    **dict.fromkeys(("min", "min_axis"), _reduce("ReduceMin")),
    "argmax": _argument("ArgMax"),
    "argmin": _argument("ArgMin"),
    "topk": _top,
    "take": _take,
    "tile": lambda x: x.add("Tile", x.inputs[0], x.whole(*x.node.sizes("reps"))),
    **dict.fromkeys(("batch_dot", "dot"), _batch_dot),
    "transpose": _transpose,
    "slice_axis": _slice_axis,
    **dict.fromkeys(("slice", "crop"), _slice),
    **dict.fromkeys(("SliceChannel", "split"), _split),
    "stack": _stack,
    "squeeze": _squeeze,
    "expand_dims": lambda x: x.add("Unsqueeze", x.inputs[0], x.whole(x.axis(0))),
    **dict.fromkeys(("Pad", "pad"), _pad),
}


def _reshape_codes(node: Node) -> str:
    codes = [size for size in node.sizes("shape") if size < -1]
    return f"the codes {codes}" if codes else "reverse" if node.flag("reverse") else ""


def _has_axis(node: Node) -> str:
    return "" if node.value("axis", "") is not None and "axis" in node.attributes else "no axis"


_TYPES = ("indices", "value", "both")
_REDUCTIONS = ("mean", "sum", "sum_axis", "max", "max_axis", "min", "min_axis")
CHECKS: dict[str, Check] = {
    **dict.fromkeys(("Reshape", "reshape"), _reshape_codes),
    "slice": lambda node: "steps" if any(s not in (None, 1) for s in node.value("step", ()) or ()) else "",
    **dict.fromkeys(_REDUCTIONS, unset("exclude")),
    **dict.fromkeys(("argmax", "argmin"), _has_axis),
    "topk": several(kinds("ret_typ", "indices", _TYPES), kinds("axis", "-1", ("-1", "1", "2", "3", "0"))),
    "take": kinds("mode", "clip", ("clip",)),
}
