"""Windows side by side, and convolutions of float64 as products with them: the numbers of PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import kernels, random, run, x86_target

CONVOLUTIONS = {
    "padded": nn.Conv2d(6, 8, 3, padding=1),
    "strided and dilated": nn.Conv2d(6, 5, (3, 2), (2, 1), (2, 0), (1, 3)),
    "grouped": nn.Conv2d(6, 12, 3, padding=1, groups=3),
    "depthwise": nn.Conv2d(6, 6, 3, groups=6),
    "pointwise": nn.Conv2d(6, 16, 1, bias=False),
}


class Doubles(nn.Module):
    """Each convolution by itself, one over sequences, and one over volumes."""

    def __init__(self) -> None:
        super().__init__()
        self.images = nn.ModuleList(CONVOLUTIONS.values())
        self.sequences, self.volumes = nn.Conv1d(6, 7, 5, 2, 2), nn.Conv3d(2, 4, (2, 3, 1), padding=(1, 0, 0))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        rows, volumes = x.flatten(2), x.reshape(2, 2, 3, 9, 11)
        return [*(layer(x) for layer in self.images), self.sequences(rows), self.volumes(volumes)]


def test_convolutions_of_float64() -> None:
    torch.manual_seed(0)
    net = Doubles().double().eval()
    x = torch.randn(2, 6, 9, 11, dtype=torch.float64)
    module = program_to_module(torch.export.export(net, (x,)))
    results = run(module, [x.numpy()], x86_target())
    names = [*CONVOLUTIONS, "sequences", "volumes"]
    for name, got, expected in zip(names, results, net(x), strict=True):
        np.testing.assert_allclose(got, expected.detach().numpy(), atol=1e-12, rtol=1e-12, err_msg=name)
    lowered, _refused = kernels(module, x86_target())
    left = [var.name_hint for var in lowered.get_global_vars() if "conv" in var.name_hint]
    assert len(left) == 1  # the depthwise one


class Unfolds(nn.Module):
    """Windows of several kinds, and what an involution does with them."""

    def forward(self, x: torch.Tensor, weights: torch.Tensor) -> list[torch.Tensor]:
        patches = functional.unfold(x, 3, padding=1)
        involved = (patches.view(2, 4, 9, 56) * weights[:, None]).sum(2)
        return [
            patches,
            functional.unfold(x, (2, 3), 2, (0, 1), (1, 2)),
            functional.unfold(x[0], 2),
            involved,
        ]


@pytest.mark.parametrize("mcpu", ["native", pytest.param("x86-64", marks=pytest.mark.slow)])
def test_unfold(mcpu: str) -> None:
    given = torch.from_numpy(random((2, 4, 7, 8))), torch.from_numpy(random((2, 9, 56), 1))
    program = torch.export.export(Unfolds(), given)
    results = run(program_to_module(program), [each.numpy() for each in given], x86_target(mcpu))
    for number, (got, expected) in enumerate(zip(results, Unfolds()(*given), strict=True)):
        np.testing.assert_allclose(got, expected.numpy(), atol=1e-5, rtol=1e-5, err_msg=str(number))
