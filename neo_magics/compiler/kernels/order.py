"""Whole numbers in the order of floats: NaN above infinity, as the frameworks sort, and -0 beside 0."""

from __future__ import annotations

import math
from typing import Any

from tvm import te, tirx

BITS = {"float32": 32, "float64": 64}


def order_key(x: Any, *, nan_first: bool = False) -> Any:
    """A tensor of float32 or float64 as int32 or int64 in the same order; `nan_first`: NaN below all."""
    return te.compute(x.shape, lambda *place: key_of(x(*place), nan_first=nan_first), "order_key")


def key_of(value: Any, *, nan_first: bool = False) -> Any:
    """A float32 or float64 as int32 or int64 in the same order; a whole number is its own key.

    The bits of positive floats are in their order, those of negative ones in the opposite one.
    """
    bits = BITS.get(str(value.ty.dtype))
    if bits is None:
        return value
    dtype = f"int{bits}"
    largest = tirx.max_value(dtype)
    missing = tirx.min_value(dtype) if nan_first else largest
    raw = tirx.reinterpret(dtype, value)
    signed = tirx.Select(raw < tirx.const(0, dtype), tirx.bitwise_xor(raw, largest), raw)
    number = tirx.Select(value == tirx.const(0, str(value.ty.dtype)), tirx.const(0, dtype), signed)
    # Every number is at most infinity, which is one comparison; TVM's isnan costs ten times as much.
    return tirx.Select(value <= tirx.const(math.inf, str(value.ty.dtype)), number, missing)
