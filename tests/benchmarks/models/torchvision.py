"""Networks of the torchvision package by name, with random weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_MISSING = ("nms", "qnms")


class Torchvision(nn.Module):
    """`torchvision.models.<model>()`; pickled as its name and weights."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model
        self.network = getattr(_models(), model)()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.network(x)
        return scores

    def __reduce__(self) -> Any:
        return _restored, (self.model, self.state_dict())


def _restored(model: str, weights: dict[str, torch.Tensor]) -> Torchvision:
    module = Torchvision(model)
    module.load_state_dict(weights)
    return module.eval()


def _models() -> Any:
    """The package's models. Its wheel is built for CUDA: beside a PyTorch for CPUs it misses two operators of
    detection networks, and does not load before something declares them.
    """
    for operator in _MISSING:
        if not hasattr(torch.ops.torchvision, operator):
            torch.library.define(
                f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            )
    from torchvision import models

    return models
