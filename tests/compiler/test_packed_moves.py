"""Joining, cutting, padding and resizing packed channels gives what PyTorch gives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, random, run, x86_target

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
Body = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Between(nn.Module):
    """`body` of two convolutions' results and the input, and a convolution after it."""

    def __init__(self, body: Body, channels: tuple[int, int], size: int) -> None:
        super().__init__()
        self.body = body
        self.left, self.right = nn.Conv2d(3, channels[0], 1), nn.Conv2d(3, channels[1], 1)
        joined = body(*(torch.zeros(1, c, size, size) for c in (*channels, 3))).shape[1]
        self.last = nn.Conv2d(joined, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.body(self.left(x), self.right(x), x))


def _prelu(a: torch.Tensor, _b: torch.Tensor, _x: torch.Tensor) -> torch.Tensor:
    return F.prelu(a, torch.linspace(-1, 1, a.shape[1]))


def _shuffle(a: torch.Tensor, b: torch.Tensor, _x: torch.Tensor) -> torch.Tensor:
    joined = torch.cat([a, b], 1)
    n, c, h, w = joined.shape
    return joined.reshape(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def _gated(a: torch.Tensor, _b: torch.Tensor, _x: torch.Tensor) -> torch.Tensor:
    gate = F.conv2d(a.mean((2, 3), keepdim=True), torch.eye(a.shape[1])[..., None, None])
    return a * torch.sigmoid(gate)


def _rising(a: torch.Tensor) -> torch.Tensor:
    """A constant per channel; none of them is zero, padded ones are."""
    return torch.linspace(1, 2, a.shape[1])[:, None, None]


BODIES: dict[str, Body] = {
    "joined": lambda a, b, x: torch.cat([a, x, b, a], 1),
    "joined and normalised": lambda a, b, x: F.relu(torch.cat([b, a, x], 1) * 2 - 1),
    "joined along rows": lambda a, _b, x: torch.cat([a, a + 1], 2) + x.mean(),
    "halves": lambda a, b, _x: torch.cat(torch.cat([a, b], 1).chunk(2, 1)[::-1], 1),
    "cut": lambda a, _b, _x: a[:, 1:, ::2, 1:-1] + a[:, :-1, ::2, :-2],
    "first blocks": lambda a, _b, _x: a[:, :16] if a.shape[1] > 16 else a,
    "padded": lambda a, _b, _x: F.pad(a, (1, 2, 0, 3), value=0.5),
    "reflected": lambda a, _b, _x: F.pad(a, (1, 2, 2, 1), mode="reflect"),
    "nearest": lambda a, _b, _x: F.interpolate(a, scale_factor=2),
    "nearest at an odd ratio": lambda a, _b, _x: F.interpolate(a, size=(7, 13)),
    "bilinear": lambda a, _b, _x: F.interpolate(a, scale_factor=2, mode="bilinear"),
    "bilinear at an odd ratio": lambda a, _b, _x: F.interpolate(a, size=(7, 13), mode="bilinear"),
    "bilinear on corners": lambda a, _b, _x: F.interpolate(a, (9, 5), mode="bilinear", align_corners=True),
    "bicubic": lambda a, _b, _x: F.interpolate(a, size=(9, 5), mode="bicubic"),
    "prelu": _prelu,
    "leaky": lambda a, _b, _x: F.leaky_relu(a, 0.1),
    "hard swish": lambda a, _b, _x: F.hardswish(a) * F.hardsigmoid(a),
    "divided": lambda a, _b, x: a / 3 + a / (x.mean((1, 2, 3), keepdim=True) + 2),
    "divided by a computed one": lambda a, _b, _x: a / (a.abs() + 0.5) + 1 / (1 + torch.exp(-a)),
    "instances normalised": lambda a, _b, _x: F.instance_norm(a + 3, weight=_rising(a).flatten()),
    "groups normalised": lambda a, _b, _x: F.group_norm(a + 3, 2, _rising(a).flatten(), -_rising(a)[:, 0, 0]),
    "logarithms": lambda a, _b, _x: torch.log(a.abs() + 1) + torch.log(torch.exp(a)),
    "roots": lambda a, _b, _x: torch.sqrt(a.abs()) + torch.rsqrt(torch.square(a) + 0.1),
    "roots of what is padded": lambda a, _b, _x: torch.rsqrt(a.abs() + _rising(a)),
    "powers": lambda a, _b, _x: a**2 + (a.abs() + 0.1) ** -0.5,
    "steps": lambda a, _b, _x: torch.floor(a) + torch.sign(a) + torch.sin(a),
    "elu": lambda a, _b, _x: F.elu(a) + F.selu(a),
    "mish": lambda a, _b, _x: F.mish(a) + F.softplus(a),
    "gelu of tanh": lambda a, _b, _x: F.gelu(a, approximate="tanh"),
    "gated": lambda a, _b, _x: a * torch.sigmoid(a.mean((2, 3), keepdim=True)),
    "gated by convolution": _gated,
    "shuffled": _shuffle,
}  # fmt: skip


class All(nn.Module):
    """Every body beside the others: one compilation."""

    def __init__(self, channels: tuple[int, int], size: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(Between(body, channels, size) for body in BODIES.values())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [part(x) for part in self.parts]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mcpu", "channels", "size", "batch"),
    [("native", (24, 10), 6, 1), ("x86-64-v3", (32, 16), 7, 2), ("x86-64", (6, 8), 9, 1)],
)
def test_moves(mcpu: str, channels: tuple[int, int], size: int, batch: int) -> None:
    torch.manual_seed(0)
    network = All(channels, size).eval()
    x = torch.from_numpy(random((batch, 3, size, size)))
    source = program_to_module(torch.export.export(network, (x,)))
    with torch.no_grad():
        expected = network(x)
    for name, got, want in zip(BODIES, run(source, [x.numpy()], x86_target(mcpu)), expected, strict=True):
        np.testing.assert_allclose(got, want.numpy(), atol=2e-5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(("channels", "size"), [(21, (24, 48)), (16, (13, 7)), (5, (3, 30))])
def test_a_result_that_is_resized_is_made_along_rows(
    channels: int, size: tuple[int, int], corners: bool
) -> None:
    torch.manual_seed(0)
    resize = nn.Upsample(size, mode="bilinear", align_corners=corners)
    network = nn.Sequential(nn.Conv2d(3, channels, 3), resize).eval()
    x = torch.from_numpy(random((2, 3, 8, 10)))
    source = program_to_module(torch.export.export(network, (x,)))
    lowered, _refusals = kernels(source, x86_target())
    assert any("mix_rows" in var.name_hint for var in lowered.get_global_vars())
    [got] = run(source, [x.numpy()], x86_target())
    with torch.no_grad():
        np.testing.assert_allclose(got, network(x).numpy(), atol=2e-5, rtol=1e-4)


def test_what_grows_and_meets_a_convolution_is_packed_while_it_is_small() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Conv2d(48, 8, 1)

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            image = x.transpose(1, 2).reshape(2, 24, 5, 7)
            return self.last(torch.cat([F.interpolate(image, (11, 13), mode="bilinear"), y], 1))

    torch.manual_seed(0)
    network = Head().eval()
    inputs = torch.from_numpy(random((2, 35, 24))), torch.from_numpy(random((2, 24, 11, 13), 1))
    source = program_to_module(torch.export.export(network, inputs))
    names = [var.name_hint for var in kernels(source, x86_target())[0].get_global_vars()]
    assert any("transpose" in name and "pack_channels" in name for name in names)
    assert not any("mix_rows" in name for name in names)
    [got] = run(source, [x.numpy() for x in inputs], x86_target())
    with torch.no_grad():
        np.testing.assert_allclose(got, network(*inputs).numpy(), atol=2e-5, rtol=1e-4)
