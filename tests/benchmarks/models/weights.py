"""Random weights under which activations keep their size, and batch-norm statistics that are not trivial."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

_NORMS = nn.BatchNorm1d | nn.BatchNorm2d


def settle(model: nn.Module, inputs: Mapping[str, torch.Tensor]) -> nn.Module:
    """`model` for inference: its convolutions drawn anew, and its statistics those of `inputs`."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            _draw(module, generator)
        if any(isinstance(module, _NORMS) for module in model.modules()):
            model.train()
            model(*inputs.values())  # momentum 1: the statistics are those of this call
    return model.eval()


def _draw(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.kaiming_normal_(module.weight, generator=generator)
    elif isinstance(module, _NORMS):
        module.momentum = 1.0
        module.weight.uniform_(0.5, 1.5, generator=generator)
        module.bias.normal_(0.0, 0.2, generator=generator)
