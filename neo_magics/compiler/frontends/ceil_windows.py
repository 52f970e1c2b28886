"""Pooling that rounds the number of its windows up, as one that rounds down over more padding.

PyTorch and ONNX count ⌈(n + before + after - reach) / stride⌉ + 1 windows, where reach is dilation ·
(kernel - 1) + 1, but none that starts behind the image: the lesser of two sizes, which at a free n is a
condition in every shape that follows. Both differ from n by a number, so the lesser is known before n is.
"""

from __future__ import annotations

from collections.abc import Sequence


def padding_after(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], after: Sequence[int]
) -> list[int]:
    """Elements at the end of each axis with which rounding down gives the same windows.

    For padding `after` that no window lies in as a whole.
    """
    axes = zip(kernel, stride, dilation, after, strict=True)
    return [min(end + step - 1, wide * (taps - 1)) for taps, step, wide, end in axes]
