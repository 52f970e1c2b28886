"""One equation of a jaxpr on its way to ONNX: what a converter of a primitive gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neo_magics.capture.jax_sizes import Sizes, is_known
from neo_magics.capture.onnx_build import GraphMaker

Shape = tuple[int, ...]  # free sizes are expressions of JAX's


@dataclass(frozen=True)
class Step:
    """One equation of a jaxpr: its inputs by name in the graph, with shapes and dtypes of NumPy.

    The dtypes are those of the graph: float32 for a bfloat16, those of the parts for complex numbers.
    """

    maker: GraphMaker
    params: dict[str, Any]
    inputs: Sequence[str]
    shapes: Sequence[Shape]
    dtypes: Sequence[np.dtype[Any]]
    result: Shape
    result_dtype: np.dtype[Any]
    sizes: Sizes
    known: Sequence[Any] = ()  # the array of each input that is a constant, else None

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of an operator's one result."""
        return str(self.maker.add(operator, *inputs, **attributes))

    def whole(self, *numbers: Any) -> str:
        """Whole numbers in one dimension: a constant, or computed where free sizes are among them."""
        if all(map(is_known, numbers)):
            return self.maker.constant(np.array(numbers, np.int64))
        parts = [self.whole(each) if is_known(each) else self.sizes.measured(each) for each in numbers]
        return self.add("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]

    def number(self, value: float, dtype: Any = None) -> str:
        """A constant without dimensions, in the first input's dtype."""
        return self.maker.constant(np.asarray(value, dtype or self.dtypes[0]))

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """`value` in another shape; the one free size in it follows from the others."""
        free = [axis for axis, size in enumerate(shape) if not is_known(size)]
        if len(free) == 1 and 0 not in [size for size in shape if is_known(size)]:
            shape = [-1 if axis == free[0] else size for axis, size in enumerate(shape)]
        return self.add("Reshape", value, self.whole(*shape), allowzero=1)

    def transpose(self, value: str, axes: Sequence[int]) -> str:
        """`value` with its axes in another order."""
        return value if list(axes) == sorted(axes) else self.add("Transpose", value, perm=list(axes))

    def cast(self, value: str, dtype: Any) -> str:
        """`value` in another dtype."""
        import onnx

        return self.add("Cast", value, to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def spread(self, value: str, shape: Sequence[int], factors: Sequence[int], fill: str = "") -> str:
        """`value` of this `shape` with factor - 1 times `fill` (0) between the elements of each axis."""
        sizes = list(shape)
        for axis, factor in enumerate(factors):
            if factor == 1 or sizes[axis] < 2:
                continue
            apart = self.reshape(value, [*sizes[: axis + 1], 1, *sizes[axis + 1 :]])
            ends = [0] * (2 * (len(sizes) + 1))
            ends[len(sizes) + 1 + axis + 1] = factor - 1
            padded = self.add("Pad", apart, self.whole(*ends), *([fill] if fill else []))
            sizes[axis] *= factor
            value = self.reshape(padded, sizes)
            sizes[axis] -= factor - 1
            value = self.add("Slice", value, self.whole(0), self.whole(sizes[axis]), self.whole(axis))
        return value


Converter = Callable[[Step], "str | Sequence[str]"]
