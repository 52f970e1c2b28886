"""Packed sequences while a program is traced: the padded tensor goes on, and layers mind the lengths.

PyTorch packs a batch of sequences into one tensor of as many rows as there are real steps, a size that
depends on values. While tracing, `data` of a PackedSequence is the padded tensor (step, batch, …) instead.
Layers run over it as they are: a later step does not change an earlier result, a layer that runs backwards
gets each sequence turned round within its own length, and last states are picked at the lengths.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from neo_magics.errors import CaptureError

_OPERATORS = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_tanh"}


@contextlib.contextmanager
def packed_as_padded() -> Iterator[list[str]]:
    """pack_padded_sequence, pad_packed_sequence, nn.LSTM, nn.GRU and nn.RNN in these terms while it lasts.

    What it gives is a list to which each layer that runs over packed sequences adds its kind.
    """
    import torch
    from torch.nn.utils import rnn

    kinds = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)
    kept = [(kind, kind.forward) for kind in kinds]
    functions = rnn._VF
    layers: list[str] = []
    own = SimpleNamespace(_pack_padded_sequence=_pack, _pad_packed_sequence=_pad)
    try:
        rnn._VF = own
        rnn.PackedSequence.data = property(_data)
        for kind, forward in kept:
            kind.forward = _minding_lengths(kind, forward, layers)
        yield layers
    finally:
        for kind, forward in kept:
            kind.forward = forward
        del rnn.PackedSequence.data  # the named tuple's own appears again
        rnn._VF = functions


def check_padded(program: Any, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """`CaptureError` where `program`, traced in these terms, gives something else than `module` does."""
    import torch
    from torch.utils import _pytree as pytree

    with torch.no_grad():
        found, expected = (
            [leaf for leaf in pytree.tree_leaves(model(*args, **kwargs)) if isinstance(leaf, torch.Tensor)]
            for model in (program.module(), module)
        )
    pairs = zip(found, expected, strict=True)
    if any(a.shape != b.shape or not torch.allclose(a, b, 1e-4, 1e-4, equal_nan=True) for a, b in pairs):
        raise CaptureError(
            "Over padded sequences the model gives other results than over packed ones.",
            hint="Give its recurrent layers the padded tensor, and mask or pick the results by length.",
        )


def _data(packed: Any) -> Any:
    """What a PackedSequence holds; only PyTorch's own functions know how it lies there now."""
    if not sys._getframe(1).f_code.co_filename.endswith(("nn/utils/rnn.py", "nn\\utils\\rnn.py")):
        raise CaptureError(
            "The model reads `data` of a packed sequence, whose size depends on values.",
            hint="Unpack it first, with pad_packed_sequence(…, total_length=…).",
        )
    return packed[0]


def _pack(x: Any, lengths: Any, batch_first: bool) -> tuple[Any, Any]:
    """aten._pack_padded_sequence: the padded tensor, step first, and how many sequences have each step."""
    import torch

    steps = x.transpose(0, 1) if batch_first else x
    place = torch.arange(steps.shape[0]).unsqueeze(1)
    return steps, (lengths.unsqueeze(0) > place).sum(1)


def _lengths(sizes: Any, batch: Any) -> Any:
    """The lengths [batch], falling, from the number of sequences that have each step."""
    import torch

    return (sizes.unsqueeze(0) > torch.arange(batch).unsqueeze(1)).sum(1)


def _pad(steps: Any, sizes: Any, batch_first: bool, padding_value: float, length: Any) -> tuple[Any, Any]:
    """aten._pad_packed_sequence: `steps` with `padding_value` beyond each length."""
    import torch

    count, batch = steps.shape[:2]
    _check_total_length(count)
    inside = torch.arange(count).unsqueeze(1) < _lengths(sizes, batch).unsqueeze(0)
    shown = inside.reshape(count, batch, *[1] * (steps.dim() - 2))
    padded = torch.where(shown, steps, padding_value)
    if length is not count and isinstance(length, int) and isinstance(count, int) and length > count:
        more = [0, 0] * (steps.dim() - 1) + [0, length - count]
        padded = torch.nn.functional.pad(padded, more, value=padding_value)
    return (padded.transpose(0, 1) if batch_first else padded), _lengths(sizes, batch)


def _check_total_length(count: Any) -> None:
    """PyTorch gives as many steps as the longest sequence has, of which a fixed size knows nothing."""
    caller = sys._getframe(2).f_locals
    if isinstance(count, int) and caller.get("total_length") is None:
        raise CaptureError(
            "pad_packed_sequence gives as many steps as the longest sequence has, a size that depends on "
            "values.",
            hint="Say pad_packed_sequence(…, total_length=x.shape[1]), or leave the number of steps "
            f"({count} here) free in input_shape, where batches are as long as their longest sequence.",
        )


def _minding_lengths(kind: Any, forward: Any, layers: list[str]) -> Any:
    def minding(layer: Any, given: Any, hx: Any = None) -> Any:
        from torch.nn.utils.rnn import PackedSequence

        if not isinstance(given, PackedSequence):
            return forward(layer, given, hx)
        layers.append(kind.__name__)
        return _run(kind.__name__, layer, given, hx)

    return minding


def _run(kind: str, layer: Any, packed: Any, hx: Any) -> Any:
    """`layer` over a PackedSequence: another one of its results, and the last states."""
    import torch

    if getattr(layer, "proj_size", 0) or getattr(layer, "nonlinearity", "tanh") != "tanh":
        raise CaptureError(
            f"An nn.{kind} with a projection or ReLU over packed sequences cannot be traced.",
            hint="Give it the padded tensor, and mask or pick the results by length.",
        )
    x, sizes, order, back = packed
    lengths = _lengths(sizes, x.shape[1])
    states = _states(kind, layer, x, hx, order)
    lasts: list[list[Any]] = []
    for number in range(layer.num_layers):
        x, ends = _layer(kind, layer, number, x, states, lengths)
        lasts += ends
        x = torch.nn.functional.dropout(x, layer.dropout, layer.training and number + 1 < layer.num_layers)
    last = [torch.stack(parts) for parts in zip(*lasts, strict=True)]
    last = [end if back is None else end.index_select(1, back) for end in last]
    return type(packed)(x, sizes, order, back), tuple(last) if kind == "LSTM" else last[0]


def _layer(
    kind: str, layer: Any, number: int, x: Any, states: list[Any], lengths: Any
) -> tuple[Any, list[list[Any]]]:
    """One of the layers in all its directions, and the last states of each."""
    import torch

    found, lasts = [], []
    directions = 2 if layer.bidirectional else 1
    for place in range(number * directions, (number + 1) * directions):
        turned = place % directions == 1
        first = [part[place].unsqueeze(0) for part in states]
        weights = [getattr(layer, name) for name in layer._all_weights[place]]
        result, last = _one(kind, _turned(x, lengths) if turned else x, first, weights, lengths)
        lasts.append(last)
        found.append(_turned(result, lengths) if turned else result)
    return torch.cat(found, -1) if len(found) > 1 else found[0], lasts


def _states(kind: str, layer: Any, x: Any, hx: Any, order: Any) -> list[Any]:
    """The first hidden state, and an LSTM's cell, each [layers · directions, batch, width], longest first."""
    count = layer.num_layers * (1 + layer.bidirectional)
    parts = 2 if kind == "LSTM" else 1
    if hx is None:
        return [x.new_zeros(count, x.shape[1], layer.hidden_size)] * parts
    given = list(hx) if isinstance(hx, tuple | list) else [hx]
    return given if order is None else [part.index_select(1, order) for part in given]


def _turned(x: Any, lengths: Any) -> Any:
    """Each sequence of x (step, batch, …) backwards within its length; what is beyond stays."""
    import torch

    step = torch.arange(x.shape[0]).unsqueeze(1)
    place = torch.where(step < lengths.unsqueeze(0), lengths.unsqueeze(0) - 1 - step, step)
    return x.gather(0, place.unsqueeze(2).expand(-1, -1, x.shape[2]))


def _one(kind: str, x: Any, first: list[Any], weights: list[Any], lengths: Any) -> tuple[Any, list[Any]]:
    """One layer in one direction: results (step, batch, width), and last states at the lengths."""
    import torch

    operator = getattr(torch._VF, _OPERATORS[kind])
    rest = (len(weights) > 2, 1, 0.0, False, False, False)
    state = tuple(first) if kind == "LSTM" else first[0]
    result = operator(x, state, weights, *rest)[0]
    ends = [_at(result, lengths)]
    if kind == "LSTM":
        frozen, held = _frozen(x, weights, lengths)
        ends.append(operator(frozen, state, held, *rest)[2][0])
    return result, ends


def _at(x: Any, lengths: Any) -> Any:
    """The last step of each sequence."""
    place = (lengths - 1).reshape(1, -1, 1).expand(1, -1, x.shape[2])
    return x.gather(0, place)[0]


def _frozen(x: Any, weights: list[Any], lengths: Any) -> tuple[Any, list[Any]]:
    """x and weights of an LSTM whose cell stays as it is beyond each length.

    A further feature, 1 there, closes the input's gate and opens the one that keeps: their sigmoids are 0
    and 1 exactly. Without the cell's last state in the results nothing of this is computed.
    """
    import torch

    width = weights[0].shape[0] // 4
    beyond = torch.arange(x.shape[0]).unsqueeze(1) >= lengths.unsqueeze(0)
    gates = torch.tensor([-1e4, 1e4, 0.0, 0.0]).repeat_interleave(width).unsqueeze(1)
    column = gates.to(x.dtype)
    return (
        torch.cat([x, beyond.unsqueeze(2).to(x.dtype)], 2),
        [torch.cat([weights[0], column], 1), *weights[1:]],
    )
