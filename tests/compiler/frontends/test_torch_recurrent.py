"""Recurrent layers of PyTorch over sequences of any length, numerically equal to PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture import capture
from neo_magics.errors import InputError
from tests.capture.networks import seeded
from tests.compiler.frontends.oracle import agrees, imported


class Tagger(nn.Module):
    """A label for each token, and the layers' last states."""

    def __init__(self, kind: type[nn.Module], **options: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.layer = kind(8, 10, num_layers=2, batch_first=True, **options)
        self.tags = nn.Linear(10 * (1 + options.get("bidirectional", False)), 4)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, last = self.layer(self.embedding(tokens))
        return self.tags(hidden), last[1] if isinstance(last, tuple) else last


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_a_tagger_takes_sentences_of_any_length(kind: type[nn.Module], both: bool) -> None:
    """PyTorch traces such a layer step by step, which fixes the length."""
    tagger = seeded(lambda: Tagger(kind, bidirectional=both))
    tokens = np.random.default_rng(0).integers(0, 30, (3, 11))
    model = agrees(
        tagger, torch.ones(2, 5, dtype=torch.int64), feeds={"tokens": tokens}, input_shape=[[None, None]]
    )
    assert [isinstance(size, str) for size in model.outputs[0].shape] == [True, True, False]


class Behind(nn.Module):
    """Half as many steps as the input has, from both ends, and the last one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 6, 3, stride=2, padding=1)
        self.layer = nn.GRU(6, 5, batch_first=True, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(self.convolution(x).transpose(1, 2))[0][:, -1]


@pytest.mark.parametrize("length", [1, 12])
def test_a_number_of_steps_that_is_computed(length: int) -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((2, 4, length)).astype("float32")}
    agrees(seeded(Behind), feeds=feeds, input_shape='{"x": [2, 4, null]}')


def test_one_sequence_without_a_batch() -> None:
    feeds = {"input": np.random.default_rng(0).standard_normal((9, 4)).astype("float32")}
    agrees(seeded(First), feeds=feeds, input_shape='{"input": [null, 4]}')


class First(nn.LSTM):
    """Only the outputs."""

    def __init__(self) -> None:
        super().__init__(4, 3)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return super().forward(input)[0]


@pytest.mark.parametrize("options", [{"proj_size": 2}, {"dtype": torch.float64}])
def test_a_layer_that_is_taken_apart_says_why_its_length_is_fixed(
    options: dict[str, object], tmp_path: Path
) -> None:
    class Outputs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(4, 3, **options)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)[0]

    capture(seeded(Outputs), input_shape='{"x": [null, 2, 4]}').unpack_into(tmp_path)
    with pytest.raises(InputError, match="free dimension 0") as caught:
        imported(tmp_path, "PYTORCH")
    assert "recurrent layer (layer, LSTM) is taken apart" in str(caught.value.hint)


def test_pytorch_is_as_before_after_a_capture() -> None:
    operator = torch.ops.aten.lstm.input
    before = dict(operator.py_kernels), torch._decomp.decomposition_table[operator]
    capture(seeded(First), inputs=torch.ones(3, 4))
    assert (dict(operator.py_kernels), torch._decomp.decomposition_table[operator]) == before
