"""LSTM, GRU and RNN, which TVM's ONNX importer does not have.

The sequence is unrolled, so its length must be known; the products with the input are one matrix product
over all steps. Default activations, no clip, no peepholes, no sequence lengths: the rest is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax

_ACTIVATIONS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@dataclass(frozen=True)
class _Direction:
    """One direction's tensors: `steps` are x @ W + b of each time step, (batch, gates · hidden)."""

    emit: Callable[[Any], Any]
    hidden: int
    steps: Sequence[Any]
    recurrent: Any  # (hidden, gates · hidden)
    recurrent_bias: Any | None
    linear_before_reset: bool

    def gate(self, tensor: Any, index: int) -> Any:
        """Gate `index` of a (batch, gates · hidden) tensor."""
        begin, end = index * self.hidden, (index + 1) * self.hidden
        return self.emit(relax.op.strided_slice(tensor, [1], [begin], [end]))

    def recur(self, h: Any) -> Any:
        """h @ R + Rb for all gates."""
        return self.biased(self.emit(relax.op.matmul(h, self.recurrent)), self.recurrent_bias)

    def biased(self, tensor: Any, bias: Any | None) -> Any:
        return tensor if bias is None else self.emit(relax.op.add(tensor, bias))

    def op(self, operator: Callable[..., Any], *operands: Any) -> Any:
        return self.emit(operator(*operands))


def _lstm(d: _Direction, step: Any, h: Any, c: Any) -> tuple[Any, Any]:
    gates = d.op(relax.op.add, step, d.recur(h))
    i, o, f = (d.op(relax.op.sigmoid, d.gate(gates, k)) for k in range(3))
    update = d.op(relax.op.tanh, d.gate(gates, 3))
    kept, new = d.op(relax.op.multiply, f, c), d.op(relax.op.multiply, i, update)
    cell = d.op(relax.op.add, kept, new)
    return d.op(relax.op.multiply, o, d.op(relax.op.tanh, cell)), cell


def _gru(d: _Direction, step: Any, h: Any, c: Any) -> tuple[Any, Any]:
    recurred = d.recur(h)
    z, r = (
        d.op(relax.op.sigmoid, d.op(relax.op.add, d.gate(step, k), d.gate(recurred, k))) for k in range(2)
    )
    if d.linear_before_reset:
        past = d.op(relax.op.multiply, r, d.gate(recurred, 2))
    else:
        weight = d.gate(d.recurrent, 2)
        bias = None if d.recurrent_bias is None else _slice1(d.emit, d.recurrent_bias, 2, d.hidden)
        past = d.biased(d.op(relax.op.matmul, d.op(relax.op.multiply, r, h), weight), bias)
    new = d.op(relax.op.tanh, d.op(relax.op.add, d.gate(step, 2), past))
    # (1 - z) · new + z · h
    difference = d.op(relax.op.multiply, z, d.op(relax.op.subtract, h, new))
    return d.op(relax.op.add, new, difference), c


def _rnn(d: _Direction, step: Any, h: Any, c: Any) -> tuple[Any, Any]:
    return d.op(relax.op.tanh, d.op(relax.op.add, step, d.recur(h))), c


_CELLS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}


def _convert(kind: str) -> Callable[[Any, Any, dict[str, Any]], Any]:
    def convert(builder: Any, inputs: Any, attrs: dict[str, Any]) -> Any:
        _refuse_variants(kind, inputs, attrs)
        x = builder.normalize(inputs[0])
        length, batch = _known(x.ty.shape[0], "sequence length"), x.ty.shape[1]
        hidden = int(attrs["hidden_size"])
        runs = []
        for index, backward in enumerate(_directions(attrs)):
            direction = _direction(kind, builder.emit, inputs, index, hidden, length, attrs)
            zeros = builder.emit(relax.op.zeros(relax.ShapeExpr([batch, hidden]), str(x.ty.dtype)))
            h, c = (_initial(builder.emit, inputs[k], index, zeros) for k in (5, 6))
            runs.append(_run(_CELLS[kind], direction, h, c, backward))
        return _outputs(kind, builder.emit, runs)

    return convert


def _direction(
    kind: str, emit: Any, inputs: Any, index: int, hidden: int, length: int, attrs: dict[str, Any]
) -> _Direction:
    width = _GATES[kind] * hidden
    weight, recurrent = (emit(relax.op.permute_dims(_item(emit, inputs[k], index))) for k in (1, 2))
    bias = None if inputs[3] is None else _item(emit, inputs[3], index)
    halves = [None, None] if bias is None else [_slice1(emit, bias, k, width) for k in range(2)]
    product = emit(relax.op.matmul(inputs[0], weight))
    product = product if halves[0] is None else emit(relax.op.add(product, halves[0]))
    steps = [_item(emit, product, step) for step in range(length)]
    return _Direction(emit, hidden, steps, recurrent, halves[1], bool(attrs.get("linear_before_reset", 0)))


def _run(cell: Any, direction: _Direction, h: Any, c: Any, backward: bool) -> tuple[Any, Any, Any]:
    """All hidden states in the order of time, and the last states."""
    states: list[Any] = [None] * len(direction.steps)
    order = range(len(states) - 1, -1, -1) if backward else range(len(states))
    for step in order:
        h, c = cell(direction, direction.steps[step], h, c)
        states[step] = h
    return direction.emit(relax.op.stack(states, axis=0)), h, c


def _outputs(kind: str, emit: Any, runs: list[tuple[Any, Any, Any]]) -> Any:
    y = emit(relax.op.stack([run[0] for run in runs], axis=1))
    last = [emit(relax.op.stack([run[k] for run in runs], axis=0)) for k in (1, 2)]
    return relax.Tuple([y, *(last if kind == "LSTM" else last[:1])])


def _directions(attrs: dict[str, Any]) -> list[bool]:
    """For each direction, whether it runs backwards in time."""
    named = _text(attrs.get("direction", "forward"))
    return {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[named]


def _refuse_variants(kind: str, inputs: Any, attrs: dict[str, Any]) -> None:
    given = [_text(a) for a in attrs.get("activations", ())]
    default = list(_ACTIVATIONS[kind]) * len(_directions(attrs))
    if given and [a.lower() for a in given] != [a.lower() for a in default]:
        raise NotImplementedError(f"activations {given}; only {default} are converted")
    for name in ("clip", "layout", "input_forget"):
        if attrs.get(name):
            raise NotImplementedError(f"attribute {name}")
    if inputs[7] is not None:
        raise NotImplementedError("peepholes")
    lengths = inputs[4]
    if lengths is not None and not _full_lengths(lengths, inputs[0]):
        raise NotImplementedError("sequence_lens that are not all the sequence's length")


def _full_lengths(lengths: Any, x: Any) -> bool:
    whole = _known(x.ty.shape[0], "sequence length")
    return isinstance(lengths, tvm.ir.GenericConst) and bool((lengths.data.numpy() == whole).all())


def _initial(emit: Any, state: Any | None, index: int, zeros: Any) -> Any:
    return zeros if state is None else _item(emit, state, index)


def _item(emit: Any, tensor: Any, index: int) -> Any:
    return emit(relax.op.squeeze(emit(relax.op.strided_slice(tensor, [0], [index], [index + 1])), [0]))


def _slice1(emit: Any, vector: Any, index: int, width: int) -> Any:
    return emit(relax.op.strided_slice(vector, [0], [index * width], [(index + 1) * width]))


def _known(size: Any, what: str) -> int:
    if not hasattr(size, "value"):
        raise NotImplementedError(f"a free {what}")
    return int(size)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


CONVERTERS = {kind: _convert(kind) for kind in _CELLS}
