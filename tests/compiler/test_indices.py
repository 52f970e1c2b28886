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
