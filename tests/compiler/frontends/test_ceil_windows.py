"""As many windows, rounded down, as PyTorch counts rounded up."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from neo_magics.compiler.frontends.ceil_windows import padding_after


@pytest.mark.parametrize(("kernel", "dilation"), list(itertools.product((1, 2, 3, 5), (1, 2))))
def test_as_many_windows_as_pytorch_has(kernel: int, dilation: int) -> None:
    reach = dilation * (kernel - 1) + 1
    for stride, padding, size in itertools.product((1, 2, 3), range(kernel // 2 + 1), range(reach, 12)):
        (after,) = padding_after([kernel], [stride], [dilation], [padding])
        theirs = functional.max_pool1d(
            torch.zeros(1, 1, size), kernel, stride, padding, dilation, ceil_mode=True
        )
        assert (size + padding + after - reach) // stride + 1 == theirs.shape[2]
