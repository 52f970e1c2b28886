"""LSTM, GRU and RNN, which TVM's ONNX importer does not have.

A plain layer is one call for each direction, which becomes a kernel (frontends.recurrent). Whatever has
activations of its own, peepholes, a clip, lengths or a reset before the product is unrolled over its steps,
whose number has to be known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.activations import activation
from neo_magics.compiler.frontends.onnx_fixes.node import Node, dtype_of, shape_of
from neo_magics.compiler.frontends.recurrent import Direction, emit_direction

_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_GATES = {"LSTM": "iofg", "GRU": "zrn", "RNN": "h"}
_DIRECTIONS = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}


def _layer(node: Node) -> Any:
    """(all states, the last ones…); layout 1 has the batch before the steps."""
    backward = _DIRECTIONS[node.attribute("direction", "forward")]
    batch_first = bool(node.attribute("layout", 0))
    runs = []
    for index, back in enumerate(backward):
        layer = _parts(node, index, back, batch_first)
        runs.append(_by_kernel(layer) if _is_plain(layer) else _Unrolled(layer).run())
    y = node.emit(relax.op.stack([run[0] for run in runs], axis=2 if batch_first else 1))
    states = 2 if node.operator == "LSTM" else 1
    last = [
        node.emit(relax.op.stack([run[1 + k] for run in runs], axis=1 if batch_first else 0))
        for k in range(states)
    ]
    return relax.Tuple([y, *last])


@dataclass(frozen=True)
class _Layer:
    """One direction: its weights, biases and peepholes (None where it has none), states and activations."""

    node: Node
    weight: Any  # (gates · hidden, inputs)
    recurrent: Any  # (gates · hidden, hidden)
    biases: list[Any]  # of the input and of the state, or empty
    state: list[Any]
    peepholes: Any | None  # (3 · hidden,)
    activations: list[tuple[str, float | None, float | None]]
    reverse: bool
    batch_first: bool

    @property
    def hidden(self) -> int:
        return int(shape_of(self.recurrent)[1])


def _parts(node: Node, index: int, reverse: bool, batch_first: bool) -> _Layer:
    emit = node.emit
    weight, recurrent = (_item(emit, node.tensor(k), 0, index) for k in (1, 2))
    width = shape_of(recurrent)[0]
    biases = []
    if node.has(3):
        both = _item(emit, node.tensor(3), 0, index)
        biases = [_part(emit, both, 0, k, width) for k in range(2)]
    batch = shape_of(node.tensor(0))[0 if batch_first else 1]
    states = []
    for k in (5, 6) if node.operator == "LSTM" else (5,):
        if node.has(k):
            states.append(_item(emit, node.tensor(k), 1 if batch_first else 0, index))
        else:
            shape = relax.ShapeExpr([batch, shape_of(recurrent)[1]])
            states.append(emit(relax.op.zeros(shape, dtype_of(node.tensor(0)))))
    peepholes = _item(emit, node.tensor(7), 0, index) if node.has(7) else None
    own = _own_activations(node, index)
    return _Layer(node, weight, recurrent, biases, states, peepholes, own, reverse, batch_first)


def _own_activations(node: Node, index: int) -> list[tuple[str, float | None, float | None]]:
    """(name, alpha, beta) of each activation of a direction; alphas are given to those that take one."""
    count = len(_ACTIVATIONS[node.operator])
    names = node.attribute("activations") or list(_ACTIVATIONS[node.operator]) * (index + 1)
    alphas, betas = list(node.attribute("activation_alpha", [])), list(node.attribute("activation_beta", []))
    found = []
    for name in names:
        takes = _TAKES.get(name.lower(), 0)
        alpha = alphas.pop(0) if takes > 0 and alphas else None
        beta = betas.pop(0) if takes > 1 and betas else None
        found.append((name.lower(), alpha, beta))
    return found[index * count : (index + 1) * count]


_TAKES = {"affine": 2, "scaledtanh": 2, "hardsigmoid": 2, "leakyrelu": 1, "thresholdedrelu": 1, "elu": 1}


def _is_plain(layer: _Layer) -> bool:
    """Whether the kernel computes just this."""
    node = layer.node
    default = [name.lower() for name in _ACTIVATIONS[node.operator]]
    return (
        [name for name, _alpha, _beta in layer.activations] == default
        and not node.attribute("clip")
        and not node.attribute("input_forget", 0)
        and layer.peepholes is None
        and _lengths(layer) is None
        and (node.operator != "GRU" or bool(node.attribute("linear_before_reset", 0)))
        and dtype_of(node.tensor(0)) == "float32"
    )


def _by_kernel(layer: _Layer) -> list[Any]:
    bias, late = layer.biases or (None, None)
    gates = _GATES[layer.node.operator]
    direction = Direction(gates, layer.weight, layer.recurrent, bias, late, layer.reverse, layer.batch_first)
    return emit_direction(layer.node.builder, layer.node.tensor(0), direction, layer.state)


def _lengths(layer: _Layer) -> Any | None:
    """sequence_lens, None where every sequence is as long as the tensor."""
    node = layer.node
    if not node.has(4):
        return None
    steps, known = shape_of(node.tensor(0))[1 if layer.batch_first else 0], node.constant(4)
    return None if known is not None and bool(np.all(known == steps)) else node.tensor(4)


class _Unrolled:
    """A direction step by step."""

    def __init__(self, layer: _Layer) -> None:
        self.layer, self.node, self.hidden = layer, layer.node, layer.hidden
        self.steps = shape_of(layer.node.tensor(0))[1 if layer.batch_first else 0]
        if not isinstance(self.steps, int):
            raise self.node.unsupported("with a free sequence length")
        self.lengths = _lengths(layer)
        self.recurrent = self._emit(relax.op.permute_dims(layer.recurrent))

    def run(self) -> list[Any]:
        """All states in the order of time, and the last ones."""
        layer, axis = self.layer, 1 if self.layer.batch_first else 0
        product = self._emit(
            relax.op.matmul(self.node.tensor(0), self._emit(relax.op.permute_dims(layer.weight)))
        )
        if layer.biases:
            product = self._emit(relax.op.add(product, layer.biases[0]))
        cells: dict[str, Callable[..., list[Any]]] = {"LSTM": self._lstm, "GRU": self._gru, "RNN": self._rnn}
        cell = cells[self.node.operator]
        state, outputs = list(layer.state), [None] * int(self.steps)
        for step in range(self.steps)[:: -1 if layer.reverse else 1]:
            after = cell(_item(self.node.emit, product, axis, step), *state)
            outputs[step], state = self._within(step, after, state)
        return [self._emit(relax.op.stack(outputs, axis=axis)), *state]

    def _within(self, step: int, after: Sequence[Any], before: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Beyond a sequence's end its states stay, and its output is 0."""
        if self.lengths is None:
            return after[0], list(after)
        dtype = dtype_of(self.lengths)
        inside = self._emit(relax.op.greater(self.lengths, relax.const(step, dtype)))
        inside = self._emit(relax.op.expand_dims(inside, [1]))
        zero = relax.const(0, dtype_of(after[0]))
        kept = [self._op(relax.op.where, inside, new, old) for new, old in zip(after, before, strict=True)]
        return self._op(relax.op.where, inside, after[0], zero), kept

    def _lstm(self, x: Any, h: Any, c: Any) -> list[Any]:
        gates = self._op(relax.op.add, x, self._recur(h))
        i, o, f, g = (_part(self.node.emit, gates, 1, k, self.hidden) for k in range(4))
        i = self._activate(0, self._peep(i, c, 0))
        f = self._op(relax.op.subtract, relax.const(1, dtype_of(i)), i) if self._couples else self._activate(
            0, self._peep(f, c, 2)
        )  # fmt: skip
        new = self._op(relax.op.multiply, i, self._activate(1, g))
        cell = self._op(relax.op.add, self._op(relax.op.multiply, f, c), new)
        o = self._activate(0, self._peep(o, cell, 1))
        return [self._op(relax.op.multiply, o, self._activated(2, cell)), cell]

    def _gru(self, x: Any, h: Any) -> list[Any]:
        recurred = self._recur(h)
        xs, hs = ([_part(self.node.emit, t, 1, k, self.hidden) for k in range(3)] for t in (x, recurred))
        z, r = (self._activate(0, self._op(relax.op.add, xs[k], hs[k])) for k in range(2))
        if self.node.attribute("linear_before_reset", 0):
            past = self._op(relax.op.multiply, r, hs[2])
        else:
            weight = _part(self.node.emit, self.recurrent, 1, 2, self.hidden)
            past = self._op(relax.op.matmul, self._op(relax.op.multiply, r, h), weight)
            if self.layer.biases:
                past = self._op(
                    relax.op.add, past, _part(self.node.emit, self.layer.biases[1], 0, 2, self.hidden)
                )
        new = self._activate(1, self._op(relax.op.add, xs[2], past))
        # (1 - z) · new + z · h
        kept = self._op(relax.op.multiply, z, self._op(relax.op.subtract, h, new))
        return [self._op(relax.op.add, new, kept)]

    def _rnn(self, x: Any, h: Any) -> list[Any]:
        return [self._activate(0, self._op(relax.op.add, x, self._recur(h)))]

    def _recur(self, h: Any) -> Any:
        product = self._op(relax.op.matmul, h, self.recurrent)
        return self._op(relax.op.add, product, self.layer.biases[1]) if self.layer.biases else product

    def _peep(self, gate: Any, cell: Any, index: int) -> Any:
        if self.layer.peepholes is None:
            return gate
        weight = _part(self.node.emit, self.layer.peepholes, 0, index, self.hidden)
        return self._op(relax.op.add, gate, self._op(relax.op.multiply, weight, cell))

    def _activate(self, index: int, value: Any) -> Any:
        """An activation of a gate, which `clip` bounds."""
        clip = self.node.attribute("clip")
        return self._activated(index, self._op(relax.op.clip, value, -clip, clip) if clip else value)

    def _activated(self, index: int, value: Any) -> Any:
        name, alpha, beta = self.layer.activations[index]
        return activation(self.node, name, value, alpha, beta)

    @property
    def _couples(self) -> bool:
        return bool(self.node.attribute("input_forget", 0))

    def _op(self, operator: Callable[..., Any], *operands: Any) -> Any:
        return self.node.emit(operator(*operands))

    def _emit(self, expression: Any) -> Any:
        return self.node.emit(expression)


def _item(emit: Any, tensor: Any, axis: int, index: int) -> Any:
    part = emit(relax.op.strided_slice(tensor, [axis], [index], [index + 1]))
    return emit(relax.op.squeeze(part, [axis]))


def _part(emit: Any, tensor: Any, axis: int, index: int, width: int) -> Any:
    return emit(relax.op.strided_slice(tensor, [axis], [index * width], [(index + 1) * width]))


def _quantised(node: Node) -> Any:
    """DynamicQuantizeLSTM (com.microsoft): weights as bytes, [directions, inputs, gates], made floats here.

    ONNX Runtime rounds the inputs and the state to bytes in each step, too; they stay floats here.
    """
    inputs = [*node.inputs[:8], *[None] * (8 - len(node.inputs))]
    for place, scale in ((1, 8), (2, 10)):
        weight, scales, zeros = (node.constant(k) for k in (place, scale, scale + 1))
        if weight is None or scales is None or zeros is None:
            raise node.unsupported("with weights that are computed")
        count = len(weight)
        steps = weight.astype(np.float32) - zeros.astype(np.float32).reshape(count, 1, -1)
        values = (steps * scales.reshape(count, 1, -1)).transpose(0, 2, 1)
        inputs[place] = relax.const(np.ascontiguousarray(values, np.float32), "float32")
    return _layer(replace(node, operator="LSTM", inputs=inputs))


CONVERTERS = {**dict.fromkeys(_GATES, _layer), "com.microsoft.DynamicQuantizeLSTM": _quantised}
