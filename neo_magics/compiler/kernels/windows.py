"""The windows that a convolution or F.unfold reads, side by side (im2col)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvm import relax, te, topi

from neo_magics.compiler.kernels import OPAQUE


@dataclass(frozen=True)
class Windows:
    """Of `sizes` elements along each axis, with `before` and `after` zeros around the data."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def counts(self, shape: Sequence[int]) -> list[int]:
        """How many windows there are along axes of these sizes."""
        reach = [d * (k - 1) + 1 for k, d in zip(self.sizes, self.dilations, strict=True)]
        around = [b + a for b, a in zip(self.before, self.after, strict=True)]
        return [
            (size + zeros - wide) // stride + 1
            for size, zeros, wide, stride in zip(shape, around, reach, self.strides, strict=True)
        ]


def emit_windows(builder: relax.BlockBuilder, x: Any, w: Windows) -> Any:
    """x [N, C, *axes] → [N, C, *element of the window, *window].

    Zeros around are a kernel of their own: a choice for each element would be no vector.
    """
    if any((*w.before, *w.after)):
        given = te.placeholder(list(x.ty.shape.values), str(x.ty.dtype), name="x")
        padded = topi.nn.pad(given, [0, 0, *w.before], [0, 0, *w.after])
        kernel = te.create_prim_func([given, padded]).without_attr("global_symbol")
        kernel = kernel.with_attr("op_pattern", OPAQUE)
        made = relax.TensorType([int(size) for size in padded.shape], padded.dtype)
        x = builder.emit(relax.call_tir(builder.add_func(kernel, "pad"), [x], made))
    return builder.emit_te(lambda data: _windows(data, w), x, primfunc_name_hint="windows")


def _windows(x: Any, w: Windows) -> Any:
    rank = len(w.sizes)
    counts = replace(w, before=(0,) * rank, after=(0,) * rank).counts([int(size) for size in x.shape[2:]])

    def element(n: Any, c: Any, *at: Any) -> Any:
        steps = zip(at[:rank], at[rank:], w.strides, w.dilations, strict=True)
        return x(n, c, *(window * stride + inner * dilation for inner, window, stride, dilation in steps))

    return te.compute([*x.shape[:2], *w.sizes, *counts], element, name="windows")
