"""Whole numbers in the order of floats: NaN above infinity, as the frameworks sort, and -0 beside 0."""

from __future__ import annotations

from typing import Any

from tvm import te, tirx

BITS = {"float32": 32, "float64": 64}


def order_key(x: Any, *, nan_first: bool = False) -> Any:
    """A tensor of float32 or float64 as int32 or int64 in the same order; `nan_first`: NaN below all.

    The bits of positive floats are in their order, those of negative ones in the opposite one.
    """
    bits = BITS[str(x.dtype)]
    dtype = f"int{bits}"
    largest = tirx.max_value(dtype)
    missing = tirx.min_value(dtype) if nan_first else largest

    def key(*place: Any) -> Any:
        value = x(*place)
        raw = tirx.reinterpret(dtype, value)
        signed = tirx.Select(raw < tirx.const(0, dtype), tirx.bitwise_xor(raw, largest), raw)
        number = tirx.Select(value == tirx.const(0, str(x.dtype)), tirx.const(0, dtype), signed)
        return tirx.Select(tirx.isnan(value), missing, number)

    return te.compute(x.shape, key, "order_key")
