"""Small PyTorch models that the capture and front end tests share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Residual(nn.Module):
    """Convolutions with batch normalisation, a residual connection, dropout and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.block = nn.Conv2d(8, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 10)
        self.norm.running_mean.uniform_(-1, 1)
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, image: Tensor) -> Tensor:
        hidden = torch.relu(self.norm(self.stem(image)))
        hidden = torch.relu(hidden + self.block(hidden))
        return self.head(self.drop(hidden.mean((2, 3))))


class Reader(nn.Module):
    """Token ids through an embedding and an LSTM; the last state is classified into a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 12)
        self.lstm = nn.LSTM(12, 16, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, ids: Tensor) -> dict[str, Tensor]:
        states, _last = self.lstm(self.embed(ids))
        return {"logits": self.head(states[:, -1]), "states": states}


class TwoInputs(nn.Module):
    """Two inputs and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Linear(4, 6)
        self.right = nn.Linear(5, 6)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        joined = self.left(a) + self.right(b)
        return joined, joined.amax(1)


class Branch(nn.Module):
    """A branch on a value, which torch.export cannot follow and TorchScript can."""

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x * 2
        return -x


def encoder() -> nn.Module:
    """Two transformer encoder layers."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


def seeded(make: Any) -> Any:
    """`make()` with the same weights each time."""
    torch.manual_seed(0)
    return make().eval()
