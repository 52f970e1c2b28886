"""If, Loop and Scan: subgraphs inlined as often as they run, which has to be known.

TVM: has no Loop and no Scan, and its If splits the graph into parts that no pass can look across.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    as_tensor,
    constant_of,
    dtype_of,
    normal_axis,
    shape_of,
)
from neo_magics.errors import CompilationError

Inline = Callable[[Any, Sequence[Any]], list[Any]]
_MOST = 1024  # copies of a body


def _if(node: Node, inline: Inline) -> Any:
    """The branch that a constant chooses; else both, and a choice between their results."""
    condition = node.constant(0)
    names = ("then_branch", "else_branch")
    if condition is not None:
        chosen = node.attributes[names[0 if condition.item() else 1]]
        return relax.Tuple(_tensors(node, inline(chosen, [])))
    yes, no = (_branch(node, inline, name) for name in names)
    for one, other in zip(yes, no, strict=True):
        if shape_of(one) != shape_of(other) or dtype_of(one) != dtype_of(other):
            raise node.unsupported("with branches whose results differ in shape")
    decides = node.tensor(0)
    return relax.Tuple([_choice(node, decides, a, b) for a, b in zip(yes, no, strict=True)])


def _branch(node: Node, inline: Inline, name: str) -> list[Any]:
    """The results of one of two branches; its error says why it is converted, though perhaps never run."""
    try:
        return _tensors(node, inline(node.attributes[name], []))
    except CompilationError as error:
        raise CompilationError(
            f"The {name.replace('_', ' ')} of the If (node {node.name or 'without a name'}): {error.message}",
            hint="Only the run decides between the branches, so both are converted. If it is always the same "
            "one, make the condition a constant of the model.",
            operator=error.fields.get("operator", "If"),
        ) from error


def _loop(node: Node, inline: Inline) -> Any:
    """The body as often as the trip count says; a condition may end it early if nothing is stacked."""
    body, carried = node.attributes["body"], [*node.inputs[2:]]
    stacked: list[list[Any]] = [[] for _ in body.output[1 + len(carried) :]]
    running = node.inputs[1] if node.has(1) else relax.const(True, "bool")
    count = node.known(0, "a trip count")[0] if node.has(0) else _MOST + 1
    for step in range(count):
        going = constant_of(running)
        if going is not None and not going.item():
            break
        if step >= _MOST:
            raise node.unsupported(f"with more than {_MOST} iterations, or as many as only the run decides")
        outputs = inline(body, [relax.const(step, "int64"), running, *carried])
        after, extra = outputs[1 : 1 + len(carried)], outputs[1 + len(carried) :]
        if going is None:
            if stacked:
                raise node.unsupported("with results for each of as many iterations as only the run decides")
            after = [_choice(node, running, new, old) for new, old in zip(after, carried, strict=True)]
            outputs[0] = node.emit(relax.op.logical_and(running, as_tensor(node.builder, outputs[0])))
        running, carried = outputs[0], list(after)
        for rows, row in zip(stacked, extra, strict=True):
            rows.append(as_tensor(node.builder, row))
    if any(not rows for rows in stacked):
        raise node.unsupported("without any iteration")
    return relax.Tuple([*_tensors(node, carried), *(node.emit(relax.op.stack(rows)) for rows in stacked)])


def _scan(node: Node, inline: Inline) -> Any:
    """The body once for each element along the scan axes (opset 8: for each of a batch, apart)."""
    if node.opset < 9:
        return _scan8(node, inline)
    return relax.Tuple(_scanned(node, inline, [node.tensor(k) for k in range(len(node.inputs))]))


def _scan8(node: Node, inline: Inline) -> Any:
    if node.has(0):
        raise node.unsupported("with sequence_lens")
    tensors = [node.tensor(k) for k in range(1, len(node.inputs))]
    batch = shape_of(tensors[0])[0]
    if not isinstance(batch, int):
        raise node.unsupported("with a free batch")
    each = [_scanned(node, inline, [_at(node, t, 0, row) for t in tensors]) for row in range(batch)]
    return relax.Tuple([node.emit(relax.op.stack(rows)) for rows in zip(*each, strict=True)])


def _scanned(node: Node, inline: Inline, tensors: Sequence[Any]) -> list[Any]:
    body, scans = node.attributes["body"], int(node.attributes["num_scan_inputs"])
    states, sequences = list(tensors[: len(tensors) - scans]), tensors[len(tensors) - scans :]
    outs = len(body.output) - len(states)
    axes = [
        normal_axis(axis, len(shape_of(sequence)))
        for axis, sequence in zip(node.attribute("scan_input_axes", [0] * scans), sequences, strict=True)
    ]
    backwards = node.attribute("scan_input_directions", node.attribute("directions", [0] * scans))
    length = shape_of(sequences[0])[axes[0]]
    if not isinstance(length, int) or not 0 < length <= _MOST:
        raise node.unsupported(f"over a length of {length}; it must be known, and at most {_MOST}")
    stacked: list[list[Any]] = [[] for _ in range(outs)]
    for step in range(length):
        rows = [
            _at(node, sequence, axis, length - 1 - step if back else step)
            for sequence, axis, back in zip(sequences, axes, backwards, strict=True)
        ]
        outputs = [as_tensor(node.builder, each) for each in inline(body, [*states, *rows])]
        states = outputs[: len(states)]
        for into, row in zip(stacked, outputs[len(states) :], strict=True):
            into.append(row)
    return [*states, *_stacked(node, stacked)]


def _stacked(node: Node, results: Sequence[list[Any]]) -> list[Any]:
    axes = node.attribute("scan_output_axes", [0] * len(results))
    reversed_ = node.attribute("scan_output_directions", [0] * len(results))
    return [
        node.emit(relax.op.stack(rows[::-1] if back else rows, normal_axis(axis, 1 + len(shape_of(rows[0])))))
        for rows, axis, back in zip(results, axes, reversed_, strict=True)
    ]


def _at(node: Node, tensor: Any, axis: int, index: int) -> Any:
    part = node.emit(relax.op.strided_slice(tensor, [axis], [index], [index + 1]))
    return node.emit(relax.op.squeeze(part, [axis]))


def _choice(node: Node, condition: Any, yes: Any, no: Any) -> Any:
    one, other = _tensors(node, [yes, no])
    if shape_of(one) != shape_of(other):
        raise node.unsupported("whose results change their shape")
    known = constant_of(condition)
    if known is not None:
        return one if np.ravel(known)[0] else other
    return node.emit(relax.op.where(_scalar(node, condition), one, other))


def _scalar(node: Node, condition: Any) -> Any:
    """ONNX lets conditions have one element in any shape; that of the results is kept."""
    tensor = as_tensor(node.builder, condition)
    return tensor if not shape_of(tensor) else node.emit(relax.op.reshape(tensor, []))


def _tensors(node: Node, values: Sequence[Any]) -> list[Any]:
    return [as_tensor(node.builder, value) for value in values]


CONVERTERS = {"If": _if, "Loop": _loop, "Scan": _scan}
