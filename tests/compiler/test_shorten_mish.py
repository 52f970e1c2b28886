"""Mish as front ends write it is one exponential and a quotient, and the same number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import tvm
from torch.nn import functional as F
from tvm import relax
from tvm.relax import op

from neo_magics.compiler.passes.shorten_mish import ShortenMish
from tests.compiler.models import module, run, x86_target

X = np.concatenate([np.linspace(-30, 30, 2001), [-100, -90, 88, 89, 3e38, -3e38, np.inf, -np.inf, np.nan]])


def number(value: float) -> Any:
    return relax.const(value, "float32")


def plain(x: Any) -> Any:
    return op.log(op.add(number(1), op.exp(x)))


def chosen(x: Any) -> Any:
    return op.where(op.greater(x, number(20)), x, op.log(op.add(op.exp(x), number(1))))


def in_two_parts(x: Any) -> Any:
    return op.add(op.maximum(x, number(0)), plain(op.negative(op.abs(x))))


def shortened(softplus: Callable[[Any], Any], x: np.ndarray) -> tuple[str, tvm.IRModule]:
    source = module(lambda v: [op.multiply(v, op.tanh(softplus(v)))], (x.shape, "float32"))
    steps = [relax.transform.Normalize(), ShortenMish(), relax.transform.DeadCodeElimination()]
    return tvm.transform.Sequential(steps)(source).script(), source


@pytest.mark.parametrize("softplus", [plain, chosen, in_two_parts, op.nn.softplus])
def test_mish(softplus: Callable[[Any], Any]) -> None:
    x = X.astype("float32")
    script, source = shortened(softplus, x)
    assert "R.tanh" not in script
    (got,) = run(source, [x], x86_target())
    expected = F.mish(torch.from_numpy(x.astype("float64"))).numpy()
    np.testing.assert_allclose(got[:-1], expected[:-1].astype("float32"), rtol=2e-6, atol=1e-37)
    assert np.isnan(got[-1])


@pytest.mark.parametrize(
    "other",
    [
        lambda x: op.log(op.add(number(2), op.exp(x))),
        lambda x: op.where(op.greater(x, number(1)), x, op.log(op.add(op.exp(x), number(1)))),
        lambda x: op.where(op.greater(x, number(20)), op.abs(x), op.log(op.add(op.exp(x), number(1)))),
        lambda x: op.add(op.maximum(x, number(1)), plain(op.negative(op.abs(x)))),
    ],
)
def test_what_is_not_mish_stays(other: Callable[[Any], Any]) -> None:
    assert "R.tanh" in shortened(other, X.astype("float32"))[0]
