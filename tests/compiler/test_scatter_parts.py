"""Elements scattered into a part of a tensor: TVM wrote them to wrong places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import random, run, x86_target

SHAPE = (6, 8, 3)


class Parts(torch.nn.Module):
    """Indices that are shorter than the tensor along axes of both sides of the scattered one."""

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> list[torch.Tensor]:
        source = x[:2, :3, :2] * 3
        found = [x.scatter_add(axis, index, source) for axis in (0, 1, 2)]
        found += [x.scatter_reduce(axis, index, source, "amax") for axis in (0, 2)]
        ranks = torch.arange(3)[:, None].expand(3, 2)[None].expand(2, 3, 2)
        return [*found, x.scatter(1, ranks + 4, source)]


@pytest.mark.parametrize("free", [False, True])
def test_every_axis_agrees_with_pytorch(free: bool) -> None:
    x = torch.from_numpy(random(SHAPE))
    index = torch.tensor([[[0, 2], [2, 1], [1, 1]], [[2, 2], [0, 0], [1, 2]]])
    model = Parts()
    dynamic: Any = ({0: torch.export.Dim("rows", min=3), 2: torch.export.Dim("columns", min=3)}, None)
    program = torch.export.export(model, (x, index), dynamic_shapes=dynamic if free else None)
    module = program_to_module(program)
    got = run(module, [x.numpy(), index.numpy()], x86_target())
    for one, expected in zip(got, model(x, index), strict=True):
        np.testing.assert_allclose(one, expected.numpy(), rtol=1e-6)
