"""Modules that torch.export captures and a job could not compile."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture import capture
from neo_magics.errors import CaptureError

X = torch.ones(2, 4)


class Rows(nn.Module):
    """A function of one row, for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.vmap(lambda row: torch.relu(self.layer(row)) * row.sum())(x)


class Slope(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.func.grad(lambda t: (t**3).sum())(x)


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.links = torch.eye(4).to_sparse()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sparse.mm(self.links, x.T)


class Widens(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.float())


def test_float64_for_float32_weights_says_how_to_convert() -> None:
    with pytest.raises(CaptureError, match=r"inputs of float64; its weights are float32: mat1") as caught:
        capture(nn.Linear(4, 2), inputs=np.ones((2, 4)))
    assert "x.astype('float32')" in caught.value.hint


def test_a_module_that_converts_takes_any_dtype() -> None:
    assert capture(Widens(4, 2), inputs=np.ones((2, 4))).input_dtypes == {"x": "float64"}


def test_vmap_is_written_out() -> None:
    assert b"_functorch" not in capture(Rows(), inputs=X).files["model.pt2"]


def test_gradients_and_sparse_tensors_are_named() -> None:
    with pytest.raises(CaptureError, match="Slope takes a gradient"):
        capture(Slope(), inputs=X)
    with pytest.raises(CaptureError, match="holds the sparse tensor 'links'"):
        capture(Sparse(), inputs=X)
