"""MXNet's fused recurrent layers, whose weights are one vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neo_magics.capture.mxnet_file import Array, Node
from neo_magics.capture.mxnet_operators.layer import Check, Converter, Layer, kinds, unset
from neo_magics.errors import InputError

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}
_ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2)}  # MXNet has i f g o and r z n; ONNX i o f g and z r n


def _recurrent(x: Layer) -> Sequence[str]:
    """RNN on [length, batch, width] and the outputs and last states it is asked for."""
    mode, size = str(x.node.value("mode")), int(x.node.value("state_size"))
    layers, ways = int(x.node.value("num_layers")), 2 if x.node.flag("bidirectional") else 1
    vector = x.arrays[1]
    if vector is None:
        raise InputError(
            f"The weights of the recurrent layer {x.node.name} are not among the parameters.",
            hint="Export the symbol together with its parameters.",
        )
    data = x.inputs[0]
    last: list[str] = []
    cells: list[str] = []
    for layer, (weights, biases) in enumerate(_parts(np.asarray(vector).ravel(), mode, size, layers, ways)):
        made = _layer(x, data, mode, size, ways, layer, weights, biases)
        turned = x.add("Transpose", made[0], perm=[0, 2, 1, 3])  # [length, ways, batch, size]
        data = x.add("Reshape", turned, x.whole(0, 0, ways * size))
        last.append(made[1])
        cells.extend(made[2:])
    if not x.node.flag("state_outputs"):
        return [data]
    states = [_joined(x, last), *([_joined(x, cells)] if cells else [])]
    return [data, *states]


def _layer(
    x: Layer, data: str, mode: str, size: int, ways: int, layer: int, weights: list[Array],
    biases: list[Array],
) -> Sequence[str]:  # fmt: skip
    """One layer in all its directions; `weights` and `biases` hold (of the input, of the state) for each."""
    order = _ORDER.get(mode, (0,))

    def stacked(parts: list[Array]) -> Array:
        return np.stack(
            [np.concatenate([np.split(part, len(order))[gate] for gate in order]) for part in parts]
        )

    both = np.concatenate([stacked(biases[0::2]), stacked(biases[1::2])], axis=1)
    inputs = [data, x.maker.constant(stacked(weights[0::2])), x.maker.constant(stacked(weights[1::2]))]
    inputs += [x.maker.constant(both), ""]
    inputs += [_state(x, state, layer, ways) for state in x.inputs[2:4]]
    options: dict[str, object] = {
        "hidden_size": size,
        "direction": "bidirectional" if ways == 2 else "forward",
    }
    if mode == "gru":
        options["linear_before_reset"] = 1
    if mode.startswith("rnn"):
        options["activations"] = [mode.removeprefix("rnn_").capitalize()] * ways
    operator = {"lstm": "LSTM", "gru": "GRU"}.get(mode, "RNN")
    made: Sequence[str] = x.maker.add(operator, *inputs, outputs=3 if mode == "lstm" else 2, **options)
    return made


def _state(x: Layer, state: str, layer: int, ways: int) -> str:
    """The initial state of one layer; "" for one of zeros."""
    if not state:
        return ""
    return x.add("Slice", state, x.whole(layer * ways), x.whole((layer + 1) * ways), x.whole(0))


def _joined(x: Layer, states: Sequence[str]) -> str:
    return states[0] if len(states) == 1 else x.add("Concat", *states, axis=0)


def _parts(
    vector: Array, mode: str, size: int, layers: int, ways: int
) -> list[tuple[list[Array], list[Array]]]:  # fmt: skip
    """(weights, biases) of each layer: all weights come first, then all biases, layer by layer."""
    rows = _GATES[mode] * size
    deeper = (layers - 1) * ways * rows * (ways * size + size + 2)
    width, left = divmod(vector.size - deeper - ways * rows * (size + 2), ways * rows)
    if left or width < 1:
        raise InputError(
            f"A recurrent layer has {vector.size} weights, which fit no width of its input.",
            hint="Save the symbol and the parameters again, from the same model.",
        )
    place, weights, biases = 0, [], []
    for layer in range(layers):
        own: list[Array] = []
        for _ in range(ways):
            for columns in (width if layer == 0 else ways * size, size):
                own.append(vector[place : place + rows * columns].reshape(rows, columns))
                place += rows * columns
        weights.append(own)
    for _ in range(layers):
        biases.append([vector[place + n * rows : place + (n + 1) * rows] for n in range(2 * ways)])
        place += 2 * ways * rows
    return list(zip(weights, biases, strict=True))


def _projected(node: Node) -> str:
    return unset("projection_size", "use_sequence_length", "lstm_state_clip_min", "lstm_state_clip_max")(node)


OPERATORS: dict[str, Converter] = {"RNN": _recurrent}
CHECKS: dict[str, Check] = {
    "RNN": lambda node: kinds("mode", "", tuple(_GATES))(node) or _projected(node),
}
