"""Packed sequences of PyTorch: whole models against themselves, with PyTorch's own packing."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from neo_magics.capture import capture
from neo_magics.errors import CaptureError
from tests.capture.networks import seeded
from tests.compiler.frontends.oracle import imported, run

TOKENS = torch.from_numpy(np.random.default_rng(0).integers(0, 50, (4, 9)))
LENGTHS = torch.tensor([4, 9, 2, 7])


class Reader(nn.Module):
    """Texts of several lengths: results padded again, lengths, and the layers' last states."""

    def __init__(
        self, kind: type[nn.Module], is_sorted: bool = False, total: bool = True, **options: Any
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 8)
        self.layer = kind(8, 6, batch_first=True, **options)
        self.is_sorted, self.total = is_sorted, total
        self.states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))

    def forward(self, tokens: Any, lengths: Any) -> Any:
        rows = self.embedding(tokens)
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=self.is_sorted)
        result, last = self.layer(packed, self.first(tokens.shape[0]))
        length = tokens.shape[1] if self.total else None
        padded, said = pad_packed_sequence(result, True, padding_value=-1.0, total_length=length)
        return padded, said, *(last if isinstance(last, tuple) else (last,))

    def first(self, batch: Any) -> Any:
        """A first state that differs from row to row."""
        rising = torch.arange(batch).reshape(1, -1, 1) * torch.full((self.states, 1, 6), 0.3)
        return (rising, -rising) if isinstance(self.layer, nn.LSTM) else rising


def _agrees(model: nn.Module, *feeds: tuple[Any, ...], **options: Any) -> None:
    archive = capture(model, inputs=feeds[0], **options)
    with tempfile.TemporaryDirectory() as name:
        archive.unpack_into(Path(name))
        compiled = imported(Path(name), "PYTORCH", archive.data_input_config)
    names = [spec.name for spec in compiled.inputs]
    for inputs in feeds:
        expected = model.eval()(*inputs)
        got = run(compiled, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
        for one, other in zip(got.values(), expected, strict=True):
            np.testing.assert_allclose(one, other.detach().numpy(), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (nn.LSTM, {}),
        (nn.LSTM, {"bidirectional": True, "num_layers": 2, "dropout": 0.5}),
        (nn.LSTM, {"bias": False}),
        (nn.GRU, {"bidirectional": True, "num_layers": 2}),
        (nn.RNN, {"bidirectional": True}),
    ],
)
def test_lengths_are_minded(kind: type[nn.Module], options: dict[str, Any]) -> None:
    model = seeded(lambda: Reader(kind, **options))
    _agrees(model, (TOKENS, LENGTHS), (TOKENS.flip(1), torch.tensor([1, 1, 8, 3])))


@pytest.mark.slow
def test_sequences_that_are_sorted() -> None:
    model = seeded(lambda: Reader(nn.GRU, is_sorted=True))
    _agrees(model, (TOKENS, LENGTHS.sort(descending=True)[0]))


@pytest.mark.slow
def test_as_many_steps_as_the_longest_has() -> None:
    """Where the length is free; it was refused, as all packed sequences were."""
    model = seeded(lambda: Reader(nn.LSTM, total=False, bidirectional=True))
    free = {"tokens": [None, None], "lengths": [None]}
    _agrees(model, (TOKENS, LENGTHS), (TOKENS[:2, :5], torch.tensor([3, 5])), input_shape=free)


def test_the_last_state_alone() -> None:
    class Last(Reader):
        def forward(self, tokens: Any, lengths: Any) -> Any:
            packed = pack_padded_sequence(self.embedding(tokens), lengths, True, enforce_sorted=False)
            return (self.layer(packed)[1][0][-1],)

    _agrees(seeded(lambda: Last(nn.LSTM)), (TOKENS, LENGTHS), (TOKENS, torch.tensor([1, 2, 3, 4])))


class TestRefused:
    def test_a_number_of_steps_that_values_decide(self) -> None:
        with pytest.raises(CaptureError, match=r"as many steps as the longest .* total_length=x\.shape\[1\]"):
            capture(Reader(nn.LSTM, total=False), inputs=(TOKENS, LENGTHS))

    def test_what_a_packed_sequence_holds(self) -> None:
        class Mean(Reader):
            def forward(self, tokens: Any, lengths: Any) -> Any:
                packed = pack_padded_sequence(self.embedding(tokens), lengths, True, enforce_sorted=False)
                return self.layer(packed)[0].data.mean()

        with pytest.raises(CaptureError, match="reads `data` of a packed sequence"):
            capture(Mean(nn.LSTM), inputs=(TOKENS, LENGTHS))

    def test_a_projection(self) -> None:
        with pytest.raises(CaptureError, match=r"An nn\.LSTM with a projection or ReLU over packed"):
            capture(Reader(nn.LSTM, proj_size=3), inputs=(TOKENS, LENGTHS))

    def test_lengths_that_are_not_sorted_though_the_model_says_so(self) -> None:
        with pytest.raises(CaptureError, match="sorted"):
            capture(Reader(nn.GRU, is_sorted=True), inputs=(TOKENS, LENGTHS))

    def test_pytorch_is_as_before_afterwards(self) -> None:
        forward, functions = nn.LSTM.forward, torch.nn.utils.rnn._VF
        with pytest.raises(CaptureError):
            capture(Reader(nn.LSTM, total=False), inputs=(TOKENS, LENGTHS))
        assert nn.LSTM.forward is forward
        assert torch.nn.utils.rnn._VF is functions
        assert pack_padded_sequence(torch.ones(2, 3, 1), [3, 1], True).data.shape == (4, 1)
