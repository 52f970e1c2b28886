"""Arithmetic: dtypes as PyTorch promotes them, and factors that TVM drops."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax


def promoted(operator: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """A binary operator on operands of the result's dtype.

    TVM: `ids * 0.5` on whole numbers rounds the factor to 0; `torch.add(x, y, alpha=2)` forgets alpha.
    """

    def convert(node: Any, importer: Any) -> Any:
        left, right = (importer._retrieve_args(arg) for arg in node.args[:2])
        expected = node.meta.get("val")
        if not hasattr(expected, "dtype"):  # arithmetic of sizes, not of tensors
            return _of_sizes(operator, left, right)
        dtype = importer._convert_data_type(expected.dtype)
        emit = importer.block_builder.emit
        if dtype == "bool" and operator in _OF_TRUTHS:  # LLVM has no product of them
            return emit(_OF_TRUTHS[operator](cast_to(emit, left, dtype), cast_to(emit, right, dtype)))
        if operator is relax.op.multiply and _is_nothing(right) and dtype.startswith("float"):
            return _nothing(emit, cast_to(emit, left, dtype), dtype)
        if operator is relax.op.divide and isinstance(right, int | float) and not right:
            operator_, right = relax.op.multiply, math.copysign(math.inf, right)  # TIR refuses a constant 0
        else:
            operator_ = operator
        left, right = cast_to(emit, left, dtype), cast_to(emit, right, dtype)
        alpha = node.kwargs.get("alpha", 1)
        if alpha != 1:
            right = emit(relax.op.multiply(right, relax.const(alpha, dtype)))
        return emit(operator_(left, right))

    return convert


def _is_nothing(value: Any) -> bool:
    return isinstance(value, int | float) and value == 0


def _nothing(emit: Callable[[Any], Any], x: Any, dtype: str) -> Any:
    """x · 0, which of NaN and infinity is NaN. TVM: takes it for 0."""
    return emit(
        relax.op.where(emit(relax.op.isfinite(x)), relax.const(0.0, dtype), relax.const(math.nan, dtype))
    )


def compared(operator: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """A comparison on operands of their common dtype. TVM: `ids > 0.5` compares with 0, and `x == x`, which
    asks for NaN, is always true.
    """

    def convert(node: Any, importer: Any) -> Any:
        import torch

        if node.args[0] is node.args[1] and node.args[0].meta["val"].is_floating_point():
            return _of_itself(node, importer)
        values = [arg.meta["val"] if hasattr(arg, "meta") else arg for arg in node.args[:2]]
        dtype = importer._convert_data_type(torch.result_type(*values))
        emit = importer.block_builder.emit
        left, right = (cast_to(emit, importer._retrieve_args(arg), dtype) for arg in node.args[:2])
        return emit(operator(left, right))

    return convert


def _of_itself(node: Any, importer: Any) -> Any:
    """A tensor compared with itself: NaN is not equal to itself, and neither more nor less."""
    emit, x = importer.block_builder.emit, importer.env[node.args[0]]
    missing = emit(relax.op.isnan(x))
    name = str(node.target.__name__).partition(".")[0]
    if name == "ne":
        return missing
    return (
        emit(relax.op.logical_not(missing))
        if name in ("eq", "le", "ge")
        else emit(relax.op.zeros_like(missing))
    )


def divided(node: Any, importer: Any) -> Any:
    """aten.div with a rounding mode, in PyTorch's dtype. TVM fails on whole numbers other than int32."""
    emit = importer.block_builder.emit
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    left, right = (cast_to(emit, importer._retrieve_args(arg), dtype) for arg in node.args[:2])
    mode = node.kwargs.get("rounding_mode")
    if mode == "floor":
        return emit(relax.op.floor_divide(left, right))
    quotient = emit(relax.op.divide(left, right))
    return emit(relax.op.trunc(quotient)) if mode == "trunc" and dtype.startswith("float") else quotient


def negative(node: Any, importer: Any) -> Any:
    """aten.neg. TVM: multiplies by -1, which unsigned numbers do not have."""
    emit, x = importer.block_builder.emit, importer.env[node.args[0]]
    dtype = str(x.ty.dtype)
    return emit(relax.op.subtract(relax.const(0, dtype), x) if "uint" in dtype else relax.op.negative(x))


def cumulative_sum(node: Any, importer: Any) -> Any:
    """aten.cumsum in PyTorch's result dtype. TVM: the sum of booleans stays boolean."""
    x, axis = importer.env[node.args[0]], node.args[1]
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    cast = cast_to(importer.block_builder.emit, x, dtype)
    return importer.block_builder.emit(relax.op.cumsum(cast, axis, dtype))


def cast_to(emit: Callable[[Any], Any], value: Any, dtype: str) -> Any:
    """A tensor or number as a tensor of `dtype`."""
    if not isinstance(value, relax.Expr) or not isinstance(getattr(value, "ty", None), relax.TensorType):
        return _constant(emit, value, dtype)
    return value if str(value.ty.dtype) == dtype else emit(relax.op.astype(value, dtype))


def _constant(emit: Callable[[Any], Any], value: Any, dtype: str) -> Any:
    if isinstance(value, int | float | bool):
        # PyTorch takes the lowest bits of a number that the dtype does not hold: of bytes, -1 is 255.
        wraps = isinstance(value, int) and "int" in dtype
        return relax.const(np.array(value, "int64").astype(dtype) if wraps else value, dtype)
    tensor = emit(relax.op.shape_to_tensor(relax.ShapeExpr([value])))  # a size that is not known yet
    return emit(relax.op.astype(emit(relax.op.squeeze(tensor, [0])), dtype))


def _of_sizes(operator: Callable[..., Any], left: Any, right: Any) -> Any:
    plain = {relax.op.add: "__add__", relax.op.subtract: "__sub__", relax.op.multiply: "__mul__"}
    return getattr(left, plain[operator])(right)


_OF_TRUTHS = {relax.op.add: relax.op.logical_or, relax.op.multiply: relax.op.logical_and}
_ARITHMETIC = {
    "add": relax.op.add,
    "sub": relax.op.subtract,
    "mul": relax.op.multiply,
    "div": relax.op.divide,
    "remainder": relax.op.floor_mod,
}
_COMPARISONS = {
    "eq": relax.op.equal,
    "ne": relax.op.not_equal,
    "lt": relax.op.less,
    "le": relax.op.less_equal,
    "gt": relax.op.greater,
    "ge": relax.op.greater_equal,
}
_SHIFTS = {"__lshift__": relax.op.left_shift, "__rshift__": relax.op.right_shift}
_BITWISE_SHIFTS = {"left_shift": relax.op.left_shift, "right_shift": relax.op.right_shift}
CONVERTERS = {
    **{f"{n}.{kind}": promoted(op) for n, op in _ARITHMETIC.items() for kind in ("Tensor", "Scalar")},
    **{f"{n}.{kind}": compared(op) for n, op in _COMPARISONS.items() for kind in ("Tensor", "Scalar")},
    "div.Tensor_mode": divided,
    "div.Scalar_mode": divided,
    **{f"{n}.{kind}": promoted(op) for n, op in _SHIFTS.items() for kind in ("Tensor", "Scalar")},
    **{
        f"bitwise_{n}.{kind}": promoted(op)
        for n, op in _BITWISE_SHIFTS.items()
        for kind in ("Tensor", "Tensor_Scalar", "Scalar_Tensor")
    },
    "neg.default": negative,
    "cumsum.default": cumulative_sum,
}
