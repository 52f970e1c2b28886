"""Channels stay packed through what follows a convolution, and are unpacked where they must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from tvm import relax
from tvm.relax.frontend.torch import from_exported_program

from neo_magics.compiler.kernels.conv2d_tiles import pack_phases
from neo_magics.compiler.passes.pack_convolutions import PackConvolutions
from tests.compiler.models import WIDTHS, constant, module, random, run, x86_target

# torch.export's own use of a name that torch 2.13 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


class Attention(nn.Module):
    """Channel attention (squeeze and excite) and then one map for all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 24, 3)
        self.squeeze = nn.Conv2d(24, 6, 1)
        self.excite = nn.Conv2d(6, 24, 1)
        self.map = nn.Conv2d(24, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        weights = self.excite(torch.relu(self.squeeze(x.mean((2, 3), keepdim=True))))
        x = x * torch.sigmoid(weights)
        return x * torch.sigmoid(self.map(x))


class Branches(nn.Module):
    """Concatenated branches, one of full blocks and one that needs padding, and a transposed result."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.left = nn.Conv2d(4, channels, 1)
        self.right = nn.Conv2d(4, channels, 3, padding=1)
        self.last = nn.Conv2d(2 * channels + 4, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat([self.left(x), self.right(x), x], 1)
        return self.last(joined).transpose(1, 3)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "attention": (Attention, (2, 3, 9, 9)),
    "branches of full blocks": (lambda: Branches(16), (1, 4, 6, 6)),
    "branches with padding": (lambda: Branches(10), (1, 4, 6, 6)),
    "pooling": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 20, 3), nn.MaxPool2d(3, 2, 1), nn.ReLU6(), nn.Conv2d(20, 20, 1),
            nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(20, 7),
        ),
        (2, 3, 15, 15),
    ),
    "normalised": (
        lambda: nn.Sequential(
            nn.BatchNorm2d(3), nn.Conv2d(3, 12, 3, bias=False), nn.BatchNorm2d(12), nn.SiLU(),
            nn.Conv2d(12, 12, 3, groups=12), nn.BatchNorm2d(12), nn.GELU(), nn.Flatten(), nn.Linear(108, 5),
        ),
        (1, 3, 7, 7),
    ),
    "transposed convolution": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 5, 3, 2), nn.Conv2d(5, 3, 1)),
        (1, 3, 8, 8),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mcpu", WIDTHS)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_pytorch_gives(name: str, mcpu: str) -> None:
    build, shape = MODELS[name]
    torch.manual_seed(0)
    network = build().eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)
            part.running_var.uniform_(0.5, 2)
    x = torch.randn(shape)
    source = from_exported_program(torch.export.export(network, (x,)), keep_params_as_input=False)
    [got] = run(source, [x.numpy()], x86_target(mcpu))
    with torch.no_grad():
        np.testing.assert_allclose(got, network(x).numpy(), atol=2e-5, rtol=1e-4)


def test_between_convolutions_nothing_is_unpacked() -> None:
    weight = constant((32, 32, 3, 3))

    def chain(x: relax.Var) -> list[relax.Expr]:
        first = relax.op.nn.relu(relax.op.nn.conv2d(x, weight, padding=1))
        pooled = relax.op.nn.max_pool2d(first, 2, 2)
        return [relax.op.nn.conv2d(relax.op.add(pooled, pooled), weight, padding=1)]

    source = module(chain, ((1, 32, 8, 8), "float32"))
    packed = PackConvolutions(x86_target("x86-64-v3").machine)(source)
    packed = relax.transform.DeadCodeElimination(["main"])(packed)
    calls = [str(binding.value) for block in packed["main"].body.blocks for binding in block.bindings]
    assert sum("unpack_channels" in call for call in calls) == 1
    packs = [call for call in calls if "pack_channels" in call and "unpack" not in call]
    assert all("x0" in call for call in packs)  # at most the input


def test_a_packed_weight_holds_every_number_and_zeros() -> None:
    weight = random((5, 3, 2, 2))
    packed = pack_phases(weight[None, None], in_lanes=2, lanes=4)[0, 0]
    assert packed.shape == (2, 2, 2, 2, 2, 4)
    for o, i in np.ndindex(5, 3):
        np.testing.assert_array_equal(packed[o // 4, i // 2, :, :, i % 2, o % 4], weight[o, i])
    assert np.count_nonzero(packed) == weight.size


def test_divisions_are_done_on_unpacked_channels_where_padding_would_divide_zero_by_zero() -> None:
    def ratio(x: relax.Var) -> list[Any]:
        y = relax.op.nn.conv2d(x, constant((3, 3, 1, 1)))
        ratio = relax.op.divide(y, relax.op.nn.conv2d(x, constant((3, 3, 1, 1))))
        return [relax.op.nn.conv2d(ratio, constant((2, 3, 1, 1)))]

    x = random((1, 3, 4, 4))
    [got] = run(module(ratio, (x.shape, "float32")), [x], x86_target())
    expected = constant((2, 3, 1, 1)).value.numpy()[:, :, 0, 0].sum(1)
    np.testing.assert_allclose(got, np.broadcast_to(expected[None, :, None, None], got.shape), atol=1e-5)
