"""Linear layers of inputs that lie transposed: PyTorch repeats their weights over the batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from tvm import relax

from neo_magics.compiler.frontends.torch_program import program_to_module
from tests.compiler.models import constant, kernels, module, random, run, x86_target


class Turned(nn.Module):
    """A linear layer of (length, batch, width), over (batch, length, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width + 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.linear(x.transpose(0, 1))
        return scores


@pytest.mark.parametrize("sizes", [(10, 2, 32), (5, 3, 17)])
def test_a_linear_layer_is_a_packed_product(sizes: tuple[int, ...]) -> None:
    model, x = Turned(sizes[-1]).eval(), torch.randn(sizes)
    source = program_to_module(torch.export.export(model, (x,), strict=False))
    names = [var.name_hint for var in kernels(source, x86_target())[0].functions]
    assert any("packed_matmul" in name for name in names)
    [got] = run(source, [x.numpy()], x86_target())
    np.testing.assert_allclose(got, model(x).detach().numpy(), atol=1e-5)


def test_cross_attention_that_projects_with_parts_of_one_matrix() -> None:
    """The queries' rows of the weights, and those of keys and values; PyTorch repeats them for each step."""
    model = nn.MultiheadAttention(32, 4).eval()
    x, memory = torch.randn(6, 2, 32), torch.randn(9, 2, 32).transpose(0, 1).contiguous().transpose(0, 1)
    source = program_to_module(torch.export.export(model, (x, memory, memory), strict=False))
    names = " ".join(var.name_hint for var in kernels(source, x86_target())[0].functions)
    assert "broadcast" not in names
    got = run(source, [x.numpy(), memory.numpy(), memory.numpy()], x86_target())[0]
    expected = model(x, memory, memory)[0].detach().numpy()
    np.testing.assert_allclose(got, expected, atol=1e-5)


def repeated(matrix: relax.Expr, *shape: int) -> relax.Expr:
    return relax.op.broadcast_to(relax.op.expand_dims(matrix, 0), shape)


def test_what_is_repeated_and_what_is_not() -> None:
    """Rows, columns, computed matrices; and a batch of one that only the matrix repeats."""
    square, other = random((6, 6), 1), random((3, 6, 6), 2)
    inputs = ((3, 5, 6), (6, 6), (1, 5, 6))
    source = module(
        lambda x, w, one: [
            relax.op.matmul(x, repeated(relax.const(square), 3, 6, 6)),
            relax.op.matmul(x, relax.op.permute_dims(repeated(relax.const(square), 3, 6, 6), [0, 2, 1])),
            relax.op.matmul(x, repeated(w, 3, 6, 6)),
            relax.op.matmul(x, relax.const(other)),
            relax.op.matmul(one, repeated(w, 3, 6, 6)),
            relax.op.matmul(x, repeated(constant((1, 1)), 3, 6, 4)),
        ],
        *((shape, "float32") for shape in inputs),
    )
    x, w, one = (random(shape, n) for n, shape in enumerate(inputs))
    single = constant((1, 1)).value.numpy()
    expected = [
        x @ square, x @ square.T, x @ w, x @ other, np.repeat(one, 3, 0) @ w, x @ np.full((6, 4), single),
    ]  # fmt: skip
    for got, right in zip(run(source, [x, w, one], x86_target()), expected, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-5)
