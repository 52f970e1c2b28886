"""Element types that a compiled model carries in others: LLVM has none like them."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

# One element a byte: whole numbers by their value, floats by their bits.
CARRIERS = {
    **dict.fromkeys(("int4", "int2"), "int8"),
    **dict.fromkeys(("uint4", "uint2", "float4_e2m1fn"), "uint8"),
    **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"), "uint8"),
    **dict.fromkeys(("float8_e8m0fnu", "float8_e4m3", "float8_e3m4"), "uint8"),
}


def is_narrow(dtype: str) -> bool:
    """Whether tensors of `dtype` are carried in another one."""
    return dtype in CARRIERS


def carrier(dtype: Any) -> Any:
    """The dtype that a compiled model has for `dtype`."""
    return CARRIERS.get(dtype, dtype)


def carried(array: Array) -> Array:
    """`array` in its carrier."""
    dtype = str(array.dtype)
    if not is_narrow(dtype):
        return array
    return array.astype(carrier(dtype)) if "int" in dtype else array.view(carrier(dtype))


def uncarried(array: Array, dtype: np.dtype[Any]) -> Array:
    """A tensor in its carrier as the narrow `dtype` of ml_dtypes."""
    return array.astype(dtype) if "int" in dtype.name else array.view(dtype)
