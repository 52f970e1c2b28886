"""Element by element: powers, shifts, comparisons with infinity, and what differs by dtype.

Each entry says what TVM gets wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.activations import activation
from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant, dtype_of
from neo_magics.compiler.frontends.relax_tools import prelu


def _power(node: Node) -> Any:
    """TVM: refuses operands of two dtypes, whose result has the first one's, and powers of whole numbers."""
    x, y = node.tensor(0), node.tensor(1)
    if "int" in dtype_of(x) and "int" in dtype_of(y):
        return _integer_power(node, x, cast(node, y, dtype_of(x)))
    if dtype_of(x) == dtype_of(y):
        return None
    common = next((d for d in (dtype_of(x), dtype_of(y)) if "float" in d), dtype_of(x))
    return cast(node, node.emit(relax.op.power(cast(node, x, common), cast(node, y, common))), dtype_of(x))


def _integer_power(node: Node, x: Any, y: Any) -> Any:
    """By squaring, modulo the width of the dtype. Only 0, 1 and -1 have powers above 63 that fit."""
    dtype = dtype_of(x)
    one, two, zero = (relax.const(value, dtype) for value in (1, 2, 0))

    def emit(operator: Any, *operands: Any) -> Any:
        return node.emit(operator(*operands))

    high = emit(relax.op.add, emit(relax.op.floor_mod, y, two), relax.const(62, dtype))
    left = emit(relax.op.where, emit(relax.op.less, y, relax.const(64, dtype)), y, high)
    negative = emit(relax.op.less, y, zero)
    left = emit(relax.op.where, negative, emit(relax.op.floor_mod, y, two), left)
    result, square = emit(relax.op.add, emit(relax.op.multiply, x, zero), one), x
    for _ in range(6):
        odd = emit(relax.op.equal, emit(relax.op.floor_mod, left, two), one)
        result = emit(relax.op.where, odd, emit(relax.op.multiply, result, square), result)
        left, square = emit(relax.op.floor_divide, left, two), emit(relax.op.multiply, square, square)
    of_one = emit(relax.op.equal, emit(relax.op.multiply, x, x), one)
    gone = emit(relax.op.logical_and, negative, emit(relax.op.logical_not, of_one))
    return emit(relax.op.where, gone, zero, result)


def _modulo(node: Node) -> Any:
    """TVM: x - floor(x / y) · y makes NaN of a number modulo infinity."""
    x, y = node.tensor(0), node.tensor(1)
    if node.attribute("fmod", 0) or "float" not in dtype_of(x):
        return None
    zero = relax.const(0, dtype_of(x))
    rest = node.emit(relax.op.mod(x, y))  # with the sign of x; ONNX's has that of y
    below = [node.emit(relax.op.less(each, zero)) for each in (rest, y)]
    moved = node.emit(relax.op.logical_xor(*below))
    moved = node.emit(relax.op.logical_and(moved, node.emit(relax.op.not_equal(rest, zero))))
    return relax.op.where(moved, node.emit(relax.op.add(rest, y)), rest)


def _shift(node: Node) -> Any:
    """TVM: a shift by the whole width or more leaves what the CPU makes of it; ONNX's result is 0."""
    x, y = node.tensor(0), node.tensor(1)
    dtype = dtype_of(x)
    bits, right = tvm.DataType(dtype).bits, node.attribute("direction") == "RIGHT"
    last = relax.const(bits - 1, dtype)
    inside = node.emit(relax.op.less_equal(y, last))
    beyond: Any = relax.const(0, dtype)
    if dtype.startswith("int"):
        inside = node.emit(relax.op.logical_and(inside, node.emit(relax.op.greater_equal(y, beyond))))
        beyond = node.emit(relax.op.right_shift(x, last)) if right else beyond
    amount = node.emit(relax.op.where(inside, y, relax.const(0, dtype)))
    shifted = node.emit((relax.op.right_shift if right else relax.op.left_shift)(x, amount))
    return relax.op.where(inside, shifted, beyond)


def _is_infinite(node: Node) -> Any:
    """TVM: forgets detect_negative and detect_positive."""
    x = node.tensor(0)
    negative, positive = (bool(node.attribute(f"detect_{sign}", 1)) for sign in ("negative", "positive"))
    if negative and positive:
        return relax.op.isinf(x)
    if not negative and not positive:
        return relax.op.not_equal(x, x) if not x.ty.shape else relax.op.zeros(x.ty.shape, "bool")
    one = relax.op.greater if positive else relax.op.less
    return relax.op.logical_and(node.emit(relax.op.isinf(x)), node.emit(one(x, relax.const(0, dtype_of(x)))))


def _elu(node: Node) -> Any:
    """TVM: its 1 is a float32 whatever the dtype."""
    return activation(node, "elu", node.tensor(0), float(node.attribute("alpha", 1.0)))


def _prelu(node: Node) -> Any:
    """TVM: makes a slope per channel an nn.prelu, at which layouts end."""
    return prelu(node.emit, node.tensor(0), node.tensor(1))


def _constant(node: Node) -> Any:
    """TVM: takes a tensor only; the other attributes give numbers and lists."""
    for name, dtype in (("value_float", "float32"), ("value_floats", "float32"), ("value_int", "int64")):
        if name in node.attributes:
            return constant(np.array(node.attributes[name], dtype))
    if "value_ints" in node.attributes:
        return constant(np.array(node.attributes["value_ints"], "int64"))
    return None


def _magnitude(node: Node) -> Any:
    """TVM: fails for numbers without a sign."""
    return node.tensor(0) if dtype_of(node.tensor(0)).startswith("uint") else None


def _sign(node: Node) -> Any:
    """TVM: fails for numbers without a sign."""
    x = node.tensor(0)
    if not dtype_of(x).startswith("uint"):
        return None
    return relax.op.minimum(x, relax.const(1, dtype_of(x)))


CONVERTERS = {
    "Abs": _magnitude,
    "Sign": _sign,
    "Mod": _modulo,
    "Pow": _power,
    "BitShift": _shift,
    "IsInf": _is_infinite,
    "Elu": _elu,
    "PRelu": _prelu,
    "Constant": _constant,
}
