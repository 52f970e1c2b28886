"""float32 → bytes: x ≈ scale · (byte - zero), one scale for a tensor."""

from __future__ import annotations

from typing import Any

from tvm import te, tirx


def quantize(data: Any, *, scale: float, zero: int) -> Any:
    """The nearest byte of each number, those beyond the ends at the ends; NaN becomes one of the ends.

    What is half way goes up. The sum is positive when it is cut to a whole number, so that cutting is enough.
    """
    inverse, offset = tirx.const(1.0 / scale, "float32"), tirx.const(zero + 0.5, "float32")
    lowest, highest = tirx.const(0.5, "float32"), tirx.const(255.5, "float32")

    def element(*place: Any) -> Any:
        byte = te.max(te.min(data[place] * inverse + offset, highest), lowest)
        return byte.astype("int32").astype("uint8")

    return te.compute(data.shape, element, "quantize")
