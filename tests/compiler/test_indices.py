"""Indices beyond the tensor that they pick from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.compiler.test_model_zoo import Made, compiled


def test_tokens_beyond_the_table_read_its_last_row(tmp_path: Path) -> None:
    """PyTorch raises an error; plain TVM read outside of the table, and the process ended."""
    model = Made(lambda m, ids: m.table(ids) * 2, table=nn.Embedding(7, 4))
    run = compiled(model, (torch.tensor([[0, 6, 3]]),), tmp_path)
    table = model.table.weight.detach().numpy() * 2
    np.testing.assert_allclose(run(np.array([[0, 6, 3]])), table[None, [0, 6, 3]])
    np.testing.assert_allclose(run(np.array([[10**9, 2, -(10**9)]])), table[None, [6, 2, 0]])


def test_tokens_keep_their_64_bits(tmp_path: Path) -> None:
    """Cut to 32 bits, 2³² + 1 would silently read row 1."""
    model = Made(lambda m, ids: m.table(ids), table=nn.Embedding(7, 4))
    run = compiled(model, (torch.tensor([[0, 6, 3]]),), tmp_path)
    table = model.table.weight.detach().numpy()
    np.testing.assert_allclose(run(np.array([[2**32 + 1, 2, -(2**32)]])), table[None, [6, 2, 0]])


def test_places_beyond_a_tensor_are_not_read_or_written(tmp_path: Path) -> None:
    def picked(_module: nn.Module, x: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = torch.arange(2)[:, None].expand(2, 2)
        return x.gather(1, at), x.scatter(1, at, x[:, :2] + 9), x.index_put((rows, at), x[:, :2] + 9)

    x, inside = torch.arange(8.0).reshape(2, 4), torch.tensor([[3, 0], [1, 2]])
    run = compiled(Made(picked), (x, inside), tmp_path)
    for got, expected in zip(run(x.numpy(), inside.numpy()), picked(nn.Module(), x, inside), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())
    beyond, last = np.array([[10**12, 0], [1, 2]]), torch.tensor([[3, 0], [1, 2]])
    for got, expected in zip(run(x.numpy(), beyond), picked(nn.Module(), x, last), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())
