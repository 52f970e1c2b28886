"""Recurrent layers traced as one call, whatever their number of steps.

PyTorch finds the shapes of an LSTM's results by running it step by step, which fixes a free length. Only the
shapes count while a program is traced, and they follow from those of the input and the state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def recurrent_operators() -> tuple[Any, ...]:
    """The operators of layers over padded tensors: nn.LSTM, nn.GRU and nn.RNN."""
    import torch

    aten = torch.ops.aten
    return (aten.lstm.input, aten.gru.input, aten.rnn_tanh.input, aten.rnn_relu.input)


@contextlib.contextmanager
def by_shapes(operators: tuple[Any, ...]) -> Iterator[None]:
    """`operators`, some of `recurrent_operators()`, give tensors of the right shapes while this lasts."""
    import torch

    table = torch._decomp.decomposition_table
    kept = [(operator, dict(operator.py_kernels), table[operator]) for operator in operators]
    try:
        for operator, kernels, _decomposed in kept:
            operator.py_kernels.update(dict.fromkeys(kernels, _results))
            operator._dispatch_cache.clear()
            table[operator] = _results
        yield
    finally:
        for operator, kernels, decomposed in kept:
            operator.py_kernels.update(kernels)
            operator._dispatch_cache.clear()
            table[operator] = decomposed


def _results(  # noqa: PLR0913, PLR0917  the operators' own signature
    x: Any, state: Any, params: Any, has_biases: bool, layers: int, dropout: float, train: bool,  # noqa: ARG001
    bidirectional: bool, batch_first: bool,
) -> Any:  # fmt: skip
    """All outputs, and the last state(s): x is (step, batch, …), or (batch, step, …) with `batch_first`."""
    states = list(state) if isinstance(state, list | tuple) else [state]
    steps = x.transpose(0, 1) if batch_first else x
    width = states[0].shape[2] * (2 if bidirectional else 1)
    output = steps.new_empty((*steps.shape[:2], width))
    output = output.transpose(0, 1) if batch_first else output
    return output, *(part.new_empty(part.shape) for part in states)
