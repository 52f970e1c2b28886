"""JAX's products, convolutions, windows and reductions, in terms of ONNX's operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neo_magics.capture.jax_step import Converter, Step


def _dot(step: Step) -> str:
    """Batch axes, then the free ones of each side, as one matrix product."""
    (contract_a, contract_b), (batch_a, batch_b) = step.params["dimension_numbers"]
    (a, b), (shape_a, shape_b) = step.inputs, step.shapes
    free_a = [k for k in range(len(shape_a)) if k not in (*contract_a, *batch_a)]
    free_b = [k for k in range(len(shape_b)) if k not in (*contract_b, *batch_b)]
    batch = [shape_a[k] for k in batch_a]
    depth = _count(shape_a[k] for k in contract_a)
    rows, columns = _count(shape_a[k] for k in free_a), _count(shape_b[k] for k in free_b)
    left = step.reshape(step.transpose(a, [*batch_a, *free_a, *contract_a]), [*batch, rows, depth])
    right = step.reshape(step.transpose(b, [*batch_b, *contract_b, *free_b]), [*batch, depth, columns])
    if step.dtypes[0] != step.result_dtype or step.dtypes[1] != step.result_dtype:
        left, right = step.cast(left, step.result_dtype), step.cast(right, step.result_dtype)
    return step.reshape(step.add("MatMul", left, right), step.result)


def _convolution(step: Step) -> str:
    params, numbers = step.params, step.params["dimension_numbers"]
    if params["batch_group_count"] != 1 or any(pad < 0 for pair in params["padding"] for pad in pair):
        raise NotImplementedError("with groups of the batch, or padding below 0")
    x = step.transpose(step.inputs[0], numbers.lhs_spec)
    weight = step.transpose(step.inputs[1], numbers.rhs_spec)
    pads = list(params["padding"])
    if any(factor != 1 for factor in params["lhs_dilation"]):
        x = step.spread(x, [step.shapes[0][k] for k in numbers.lhs_spec], [1, 1, *params["lhs_dilation"]])
    y = step.add(
        "Conv", x, weight, strides=list(params["window_strides"]), dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
        pads=[low for low, _high in pads] + [high for _low, high in pads],
    )  # fmt: skip
    return step.transpose(y, [numbers.out_spec.index(k) for k in range(len(numbers.out_spec))])


def _reduced(operator: str) -> Converter:
    def convert(step: Step) -> str:
        x, axes = step.inputs[0], list(step.params["axes"])
        if not axes:
            return step.add("Identity", x)
        return step.add(operator, x, step.whole(*axes), keepdims=0)

    return convert


def _logical(operator: str) -> Converter:
    """Of truths, as the largest or smallest of 0 and 1."""

    def convert(step: Step) -> str:
        if not step.params["axes"]:
            return step.add("Identity", step.inputs[0])
        number = step.cast(step.inputs[0], np.int32)
        axes = step.whole(*step.params["axes"])
        return step.cast(step.add(operator, number, axes, keepdims=0), np.bool_)

    return convert


def _largest(operator: str) -> Converter:
    """Of truths as of the numbers 0 and 1."""
    numbers, truths = _reduced(operator), _logical(operator)
    return lambda step: (truths if step.dtypes[0] == np.bool_ else numbers)(step)


def _sum(step: Step) -> str:
    """ONNX Runtime adds no whole numbers that are narrow or without a sign; wider ones have the same bits."""
    if step.dtypes[0].kind not in "iu" or str(step.dtypes[0]) in ("int32", "int64"):
        return str(_reduced("ReduceSum")(step))
    wide = replace(step, inputs=[step.cast(step.inputs[0], np.int64)])
    return step.cast(str(_reduced("ReduceSum")(wide)), step.result_dtype)


def _extreme(operator: str) -> Converter:
    def convert(step: Step) -> str:
        x = step.inputs[0] if step.dtypes[0] != np.bool_ else step.cast(step.inputs[0], np.int32)
        found = step.add(operator, x, axis=step.params["axes"][0], keepdims=0)
        return step.cast(found, step.params["index_dtype"])

    return convert


def _pooled(operator: str) -> Converter:
    """A window over some axes: they go last, the others become the batch."""

    def convert(step: Step) -> str:
        params, shape = step.params, step.shapes[0]
        window = params["window_dimensions"]
        if any(factor != 1 for factor in params["base_dilation"]):
            raise NotImplementedError("over spread elements")
        inner = [k for k in range(len(shape)) if window[k] != 1 or params["window_strides"][k] != 1] or [0]
        outer = [k for k in range(len(shape)) if k not in inner]
        order = outer + inner
        x = step.transpose(step.inputs[0], order)
        x = step.reshape(x, [_count(shape[k] for k in outer), 1, *(shape[k] for k in inner)])
        pads = [params["padding"][k] for k in inner]
        attributes: dict[str, Any] = {
            "kernel_shape": [window[k] for k in inner],
            "strides": [params["window_strides"][k] for k in inner],
            "pads": [low for low, _high in pads] + [high for _low, high in pads],
        }
        if operator == "AveragePool":
            if any(params["window_dilation"][k] != 1 for k in inner):
                raise NotImplementedError("with holes")
            mean = step.add("AveragePool", x, count_include_pad=1, **attributes)
            y = step.add("Mul", mean, step.number(_count(window)))
        else:
            y = step.add("MaxPool", x, dilations=[params["window_dilation"][k] for k in inner], **attributes)
        y = step.reshape(y, [step.result[k] for k in order])
        return step.transpose(y, [order.index(k) for k in range(len(order))])

    return convert


def _pooled_minimum(step: Step) -> str:
    lowest = _pooled("MaxPool")(replace(step, inputs=[step.add("Neg", step.inputs[0])]))
    return step.add("Neg", str(lowest))


def _cumulative(step: Step) -> str:
    axis = step.maker.constant(np.int64(step.params["axis"]))
    return step.add("CumSum", step.inputs[0], axis, reverse=int(step.params["reverse"]))


def _top(step: Step) -> Sequence[str]:
    if step.params.get("axis", len(step.shapes[0]) - 1) != len(step.shapes[0]) - 1:
        raise NotImplementedError("along another axis than the last")
    values, positions = step.maker.add("TopK", step.inputs[0], step.whole(step.params["k"]), outputs=2)
    return [values, step.cast(positions, np.int32)]


def _count(sizes: Any) -> Any:
    return math.prod(sizes)


CONVERTERS: dict[str, Converter] = {
    "dot_general": _dot,
    "conv_general_dilated": _convolution,
    "reduce_sum": _sum,
    "reduce_max": _largest("ReduceMax"),
    "reduce_min": _largest("ReduceMin"),
    "reduce_prod": _reduced("ReduceProd"),
    "reduce_or": _logical("ReduceMax"),
    "reduce_and": _logical("ReduceMin"),
    "argmax": _extreme("ArgMax"),
    "argmin": _extreme("ArgMin"),
    "reduce_window_max": _pooled("MaxPool"),
    "reduce_window_min": _pooled_minimum,
    "reduce_window_sum": _pooled("AveragePool"),
    "cumsum": _cumulative,
    "top_k": _top,
}
