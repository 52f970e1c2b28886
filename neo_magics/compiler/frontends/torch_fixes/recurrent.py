"""LSTM, GRU and RNN layers: TVM unrolls one layer and forgets the last states; here a layer is one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.recurrent import Direction, emit_direction


def _layers(gates: str, node: Any, importer: Any) -> Any:
    """(outputs, last states…) of stacked layers, one or two directions each."""
    x, hx, params, has_biases, layers, _dropout, _train, bidirectional, batch_first = importer.retrieve_args(
        node
    )
    builder, emit = importer.block_builder, importer.block_builder.emit
    initial = list(hx) if isinstance(hx, list | tuple) else [hx]
    size, directions = 4 if has_biases else 2, 2 if bidirectional else 1
    last: list[Sequence[Any]] = []
    for layer in range(layers):
        outputs = []
        for backward in range(directions):
            number = layer * directions + backward
            own = list(params[number * size : (number + 1) * size])
            bias, late = own[2:] if has_biases else (None, None)
            direction = Direction(gates, own[0], own[1], bias, late, bool(backward), bool(batch_first))
            state = [_item(emit, part, number) for part in initial]
            output, *after = emit_direction(builder, x, direction, state)
            outputs.append(output)
            last.append(after)
        x = outputs[0] if directions == 1 else emit(relax.op.concat(outputs, axis=2))
    stacked = [emit(relax.op.stack([after[k] for after in last], axis=0)) for k in range(len(initial))]
    return emit(relax.Tuple([x, *stacked]))


def _item(emit: Any, tensor: Any, index: int) -> Any:
    return emit(relax.op.squeeze(emit(relax.op.strided_slice(tensor, [0], [index], [index + 1])), [0]))


CONVERTERS = {
    "lstm.input": lambda node, importer: _layers("ifgo", node, importer),
    "gru.input": lambda node, importer: _layers("rzn", node, importer),
    "rnn_tanh.input": lambda node, importer: _layers("h", node, importer),
}
