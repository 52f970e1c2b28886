"""Embeddings that are the last layer's weight too are in the artifact once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.api import devices
from neo_magics.artifact.manifest import Manifest
from neo_magics.runtime import load
from tests.compiler.test_model_zoo import build

HERE = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
TOKENS, WIDTH = 4099, 72  # no whole number of panels


class Decoder(nn.Module):
    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.tokens = nn.Embedding(TOKENS, WIDTH)
        self.middle = nn.Linear(WIDTH, WIDTH)
        self.scores = nn.Linear(WIDTH, TOKENS, bias=False)
        if tied:
            self.scores.weight = self.tokens.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.scores(self.middle(self.tokens(tokens)).relu())


@pytest.mark.parametrize(
    ("tied", "length", "copies"), [(True, 1, 1), (True, 5, 1), (False, 1, 2), (True, 64, 2)]
)
def test_a_tied_table_is_stored_once(tied: bool, length: int, copies: int, tmp_path: Path) -> None:
    model = Decoder(tied).eval()
    tokens = torch.randint(TOKENS, (1, length))
    tokens[0, 0] = TOKENS - 1
    folder = build(model, (tokens,), tmp_path, HERE, mcpu="native")
    with torch.no_grad():
        np.testing.assert_allclose(load(folder)(tokens.numpy()), model(tokens).numpy(), rtol=1e-4, atol=1e-4)
    table = TOKENS * WIDTH * 4
    held = sum(spec.nbytes for spec in Manifest.read(folder).params)
    assert round(held / table) == copies
