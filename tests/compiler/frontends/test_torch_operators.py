"""Operators that TVM's PyTorch importer gets wrong or lacks: each case fails with plain TVM 0.27."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neo_magics.errors import CompilationError
from tests.compiler.frontends.oracle import agrees

GENERATOR = torch.Generator().manual_seed(0)
IMAGE = torch.randn(2, 3, 8, 8, generator=GENERATOR)
ROWS = torch.randn(4, 6, generator=GENERATOR)
IDS = torch.randint(-3, 5, (4, 6), generator=GENERATOR)
SQUARE = torch.randn(3, 3, generator=GENERATOR)
WEIGHTS = torch.randn(2, 6, 6, generator=GENERATOR)
CENTRES = torch.tensor([-1.0, 0.0, 1.0])

Function = Callable[[Tensor], object]


class Apply(nn.Module):
    """A module of one function."""

    def __init__(self, function: Function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x)


CASES: dict[str, tuple[Function, Tensor]] = {
    # Read out of bounds, or paired up wrongly.
    "negative select": (lambda x: x[:, -1], IMAGE),
    "negative list": (lambda x: x[:, [0, -1]], IMAGE),
    "negative pairs": (lambda x: x[[0, -1], [-1, 0]], IMAGE),
    "indices apart": (lambda x: x[:, [0, 2], :, [1, -1]], IMAGE),
    "indices side by side": (lambda x: x[:, [0, 2], [1, -1]], IMAGE),
    "indices that broadcast": (lambda x: x[:, torch.tensor([[0], [-1]]), torch.tensor([1, -1])], IMAGE),
    "take": (lambda x: x.take(torch.tensor([0, 5, -1])), ROWS),
    "windows of an image": (lambda x: F.unfold(x, 3, padding=1), IMAGE),
    "windows of a dimension": (lambda x: x.unfold(2, 3, 2), IMAGE),
    # Not in float64.
    "layer norm, double": (lambda x: F.layer_norm(x, (6,), x[0], x[1]), ROWS.double()),
    "layer norm of two axes, double": (lambda x: F.layer_norm(x, (8, 8)), IMAGE.double()),
    "group norm, double": (lambda x: F.group_norm(x, 3, x[0, :, 0, 0], x[1, :, 0, 0]), IMAGE.double()),
    # Checked while it runs, by a function that no runtime has.
    "one hot": (lambda x: F.one_hot(x.argmax(-1), 8).float().sum(0), ROWS),
    # The wrong pixel.
    "nearest, ratio not whole": (lambda x: F.interpolate(x, size=(11, 5)), IMAGE),
    "nearest, factor": (lambda x: F.interpolate(x, scale_factor=1.7), IMAGE),
    "nearest exact": (lambda x: F.interpolate(x, size=(11, 5), mode="nearest-exact"), IMAGE),
    "bilinear, factor": (lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"), IMAGE),
    "bilinear": (lambda x: F.interpolate(x, size=(11, 5), mode="bilinear"), IMAGE),
    "bilinear, corners": (
        lambda x: F.interpolate(x, (5, 9), mode="bilinear", align_corners=True),
        IMAGE,
    ),
    "bicubic": (lambda x: F.interpolate(x, size=(11, 5), mode="bicubic"), IMAGE),
    "bilinear, smoothed": (lambda x: F.interpolate(x, (5, 3), mode="bilinear", antialias=True), IMAGE),
    "bicubic, smoothed": (
        lambda x: F.interpolate(x, scale_factor=0.6, mode="bicubic", antialias=True),
        IMAGE,
    ),
    "sampled at a grid": (
        lambda x: F.grid_sample(x, x[:, :2].permute(0, 2, 3, 1), align_corners=False),
        IMAGE,
    ),
    "reflected padding": (lambda x: F.pad(x, (1, 2, 0, 1), mode="reflect"), IMAGE),
    # Parts assigned.
    "where a mask holds": (
        lambda x: x.clone().masked_fill_(x > 1, 2).index_put((x > 0,), torch.tensor(7.0)),
        ROWS,
    ),
    "rows of a mask": (lambda x: x.index_put((x[:, 0] > 0,), torch.tensor(7.0)), ROWS),
    "rows added to": (lambda x: x.index_add(0, torch.tensor([0, 0, 3]), x[:3]), ROWS),
    "columns replaced": (lambda x: x.index_copy(1, torch.tensor([2, 1]), x[:, :2] * 2), ROWS),
    "negative rows": (lambda x: x.index_put((torch.tensor([-1, 0]),), x[1]), ROWS),
    # Factors forgotten, dtypes not promoted.
    "add with alpha": (lambda x: torch.add(x, x, alpha=2), ROWS),
    "whole numbers times a half": (lambda x: x * 0.5, IDS),
    "whole numbers above a half": (lambda x: x > 0.5, IDS),
    "floor of whole numbers": (lambda x: x // 2, IDS),
    "truncated whole numbers": (lambda x: torch.div(x, 2, rounding_mode="trunc"), IDS),
    "remainder of negatives": (lambda x: x % 3, IDS),
    "shifts": (lambda x: (x.abs() << 1) + (x.abs() >> 1), IDS),
    "sum of truths along an axis": (lambda x: (x > 0).cumsum(1), ROWS),
    "clamp of whole numbers": (lambda x: x.clamp(min=1), IDS),
    "sigmoid of whole numbers": (lambda x: x.sigmoid(), IDS),
    "choice of dtypes": (lambda x: torch.where(x > 0, x * 0.5, x), IDS),
    "concatenation of dtypes": (lambda x: torch.cat([x, x * 0.5], -1), IDS),
    "selu": (F.selu, ROWS),
    "elu": (lambda x: F.elu(x * 30, 0.5), ROWS),
    "pooling with a divisor": (lambda x: F.avg_pool2d(x, 2, divisor_override=3), IMAGE),
    "double precision product": (lambda x: x.double() @ x.double().T, ROWS),
    "whole number product": (lambda x: x @ x.T, IDS),
    "division by 0": (lambda x: x / 0, ROWS),
    "double precision convolution": (
        lambda x: F.conv2d(x.double(), x[:, :, :3, :3].double(), x[0, :2, 0, 0].double()),
        IMAGE,
    ),
    "addmm with factors": (lambda x: torch.addmm(x, x, x, beta=0.5, alpha=2), SQUARE),
    # Not known to TVM.
    "amax and amin": (lambda x: (x.amax((2, 3)), x.amin(1, keepdim=True)), IMAGE),
    "product": (lambda x: x.prod(1), ROWS),
    "any": (lambda x: (x > 1).any(), ROWS),
    "minimum with positions": (lambda x: x.min(1), ROWS),
    "maximum with positions": (lambda x: (x.max(-1), x.max(0, keepdim=True), x.long().max(1)), ROWS),
    "maximum of one number": (lambda x: x[0, 0].max(0), ROWS),
    "variance and mean": (lambda x: torch.var_mean(x, 1), ROWS),
    "log sum exp": (lambda x: x.logsumexp(1), ROWS),
    "distances": (lambda x: torch.cdist(x, x[:2]), ROWS),
    "exp2 and hypot": (lambda x: torch.hypot(x.exp2(), x), ROWS),
    "scatter add": (lambda x: torch.zeros(4, 6).scatter_add(1, (x > 0).long(), x), ROWS),
    "adaptive maximum": (lambda x: F.adaptive_max_pool2d(x, (4, 2)), IMAGE),
    "group normalisation without weights": (lambda x: F.group_norm(x, 3), IMAGE),
    "places in an order": (lambda x: torch.searchsorted(CENTRES, x, right=True), ROWS),
    "complement of the error function": (lambda x: x.erfc(), ROWS),
    "product of three": (lambda x: F.bilinear(x, x, WEIGHTS), ROWS),
    "fake quantisation": (lambda x: torch.fake_quantize_per_tensor_affine(x, 0.1, 3, -8, 7), ROWS),
    # Right with TVM, and kept so.
    "attention": (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), IMAGE),
    "slices": (lambda x: x[:, -3:-1] + x[:, 2:100:3], ROWS),
    "buckets": (lambda x: torch.bucketize(x, CENTRES), ROWS),
    "rounding half to even": (lambda x: x.round(), torch.tensor([0.5, 1.5, 2.5, -0.5])),
}


@pytest.mark.parametrize("name", CASES)
def test_operator(name: str) -> None:
    function, example = CASES[name]
    agrees(Apply(function), example)


def test_assignment_into_a_slice() -> None:
    def assign(x: Tensor) -> Tensor:
        y = x.clone()
        y[:, 1] = 0
        y[0, -1] = 5
        y[1:3, 2:4] *= 2
        return y

    agrees(Apply(assign), ROWS)


def test_negative_indices_of_a_free_dimension() -> None:
    import numpy as np

    feeds = {"x": np.arange(30, dtype=np.float32).reshape(5, 6)}
    agrees(Apply(lambda x: (x[-1], x[[0, -1]])), ROWS, feeds=feeds, input_shape='{"x": [null, 6]}')


@pytest.mark.parametrize(
    ("function", "shape", "message"),
    [
        (lambda x: F.dropout(x, 0.5, training=True), None, "in training its results are random"),
        (
            lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
            '{"x": [1, 3, null, null]}',
            "not implemented: .*sym_float",
        ),
        (lambda x: F.interpolate(x, scale_factor=1.5), '{"x": [1, 3, null, null]}', "by whole factors"),
    ],
)
def test_what_is_refused_says_why(function: Function, shape: str | None, message: str) -> None:
    with pytest.raises(CompilationError, match=message):
        agrees(Apply(function), IMAGE[:1], input_shape=shape)
