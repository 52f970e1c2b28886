"""NaN and infinity through maxima, orders and comparisons, by the whole pipeline, as in PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.compiler.test_model_zoo import Made, compiled

NAN, INF = float("nan"), float("inf")
ROWS = torch.tensor(
    [[0.5, NAN, -1, 2, 0.25, 3], [1, 2, -INF, 0.75, INF, -2], [NAN, -3, 1, NAN, 0, 7], [-INF] * 6]
)
NO_TIES = ROWS[:2]
IMAGE = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
IMAGE[0, 0, 2, 3], IMAGE[1, 2, 8, 7], IMAGE[1, 1, 0, 0] = NAN, NAN, -INF


def maxima(_module: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    return (
        x.amax(1), x.amin(1), x.amax(0), x.max(), x.min(), x.argmax(1), x.argmin(1), x.argmax(), x.max(1)[0],
        torch.maximum(x, x.flip(1)), torch.minimum(x.flip(1), x), x.clamp(x.flip(1), x + 1), x.cummax(1)[1],
        torch.maximum(x.exp() + 1, torch.minimum(x.abs() * 2, x.flip(0) + 3)),
        x.half().amax(1), x.double().argmax(1), x.bfloat16().amax(1).float(), x.nanmean(1),
    )  # fmt: skip


def orders(_module: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    return (
        *x.sort(1), *x.sort(1, descending=True), x.argsort(1), *x.topk(3, 1), *x.topk(3, 1, largest=False),
        *x.median(1), x.nanmedian(1)[0], x.median(), *x.kthvalue(4, 1), x.quantile(0.3, 1),
        torch.bucketize(x, torch.tensor([-1.0, 0, 1])), torch.sort(x, dim=0, stable=True)[0],
    )  # fmt: skip


def comparisons(_module: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    own = x.eq(x), x.ne(x), x.ge(x), x.lt(x), x.isfinite()
    return *own, x * 0, x**0.5, F.softshrink(x), F.relu6(x), x.clamp(-1, 1)


def pooled(module: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    inside = module.conv(x).relu()
    return (
        F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1), F.max_pool1d(x[:, 0], 2), F.adaptive_max_pool2d(x, 3),
        F.max_pool2d(inside, 3, 2, 1), F.max_pool2d(x, 2, return_indices=True)[1], inside.amax((2, 3)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("function", "x"),
    [(maxima, ROWS), (orders, NO_TIES), (comparisons, ROWS), (pooled, IMAGE)],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_as_pytorch(function, x: Tensor, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    model = Made(function, conv=nn.Conv2d(3, 16, 3, padding=1)).eval()
    with torch.no_grad():
        expected = model(x)
    for place, (got, want) in enumerate(
        zip(compiled(model, (x,), tmp_path)(x.numpy()), expected, strict=True)
    ):
        np.testing.assert_allclose(got, want.numpy(), rtol=1e-5, atol=1e-5, err_msg=str(place))
