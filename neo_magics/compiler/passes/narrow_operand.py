"""An operand that goes to narrow numbers and back: how the graph says it, and what packing makes of it.

bfloat16: float32(bfloat16(x)). Bytes: dequantize(quantize(x)), the QDQ form of ONNX, with one scale for x.
Weights of a product with bytes are quantised here, with one scale for each channel of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.compiler.kernels.dots import BF16, INT8, Dot, round_to_bfloat16
from neo_magics.compiler.kernels.quantize import quantize
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

LEVELS = 255  # steps between the bytes of data
SMALLEST = 1e-30  # of a range; below, its steps are no normal float32 numbers
LARGEST = 127  # of a weight, so that both signs reach as far


@dataclass(frozen=True)
class Range:
    """The smallest and the largest number that a value took; 0 is always within."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """The step from one byte to the next."""
        width = max(self.high, 0.0) - min(self.low, 0.0)
        return width / LEVELS if width > SMALLEST else 1.0

    @property
    def zero(self) -> int:
        """The byte that stands for 0."""
        return round(-min(self.low, 0.0) / self.scale)


@dataclass(frozen=True)
class Narrow:
    """What an operand becomes; `scale` and `zero` only where it becomes bytes."""

    dot: Dot
    scale: float = 1.0
    zero: int = 0

    @property
    def convert(self) -> Callable[[Any], Any]:
        """The kernel that makes narrow numbers of float32."""
        if self.dot is BF16:
            return round_to_bfloat16
        return partial(quantize, scale=self.scale, zero=self.zero)

    def weights(self, weight: Array, axis: int) -> tuple[Array, tuple[Array, ...]]:
        """`weight`, whose `axis` is the result's channels, made narrow, and factors and terms."""
        if self.dot is BF16:
            import ml_dtypes

            return weight.astype(ml_dtypes.bfloat16).view(self.dot.weight), ()
        others = tuple(dim for dim in range(weight.ndim) if dim != axis)
        largest = np.abs(weight).max(axis=others, keepdims=True)
        steps = np.where(largest > 0, largest / LARGEST, 1.0)
        narrow = np.rint(weight / steps).astype(self.dot.weight)
        factors = (self.scale * steps.reshape(-1)).astype("float32")
        sums = narrow.astype("int64").sum(axis=others)
        return narrow, (factors, (-self.zero * sums * factors).astype("float32"))


def say(builder: Any, data: Any, narrow: Narrow) -> Any:
    """`data` made narrow and wide again, in the graph's own operators."""
    if narrow.dot is BF16:
        return builder.emit(relax.op.astype(builder.emit(relax.op.astype(data, "bfloat16")), "float32"))
    scale = relax.const(np.float32(narrow.scale), "float32")
    zero = relax.const(np.uint8(narrow.zero), "uint8")
    made = builder.emit(relax.op.quantize(data, scale, zero, out_dtype="uint8"))
    return builder.emit(relax.op.dequantize(made, scale, zero, out_dtype="float32"))


def read(value: Any, lookup: Callable[[Any], Any]) -> tuple[Any, Narrow] | None:
    """(x, what it becomes) where `value` is what `say` says of x; `lookup` finds a variable's value."""
    wide = _call(value, lookup)
    narrow = _call(wide.args[0], lookup) if wide is not None else None
    if wide is None or narrow is None:
        return None
    names = calls.name_of(narrow), calls.name_of(wide)
    if names == ("relax.astype", "relax.astype"):
        known = calls.dtype_of(wide) == "float32" and calls.dtype_of(narrow) == "bfloat16"
        return (narrow.args[0], Narrow(BF16)) if known else None
    if names != ("relax.quantize", "relax.dequantize") or calls.dtype_of(narrow) != INT8.data:
        return None
    scales = [calls.constant(argument) for call in (narrow, wide) for argument in call.args[1:3]]
    if any(array is None or array.size != 1 for array in scales):
        return None
    scale, zero, *again = (float(array.reshape(())) for array in scales if array is not None)
    return (narrow.args[0], Narrow(INT8, scale, int(zero))) if again == [scale, zero] else None


def _call(value: Any, lookup: Callable[[Any], Any]) -> Any | None:
    while isinstance(value, relax.Var):
        value = lookup(value)
    return value if isinstance(value, tvm.ir.Call) and calls.name_of(value) else None
