"""Models whose weights are bytes and whose numbers are floats ("dynamic range"): which weights those are."""

from __future__ import annotations

from typing import Any

# LiteRT rounds the inputs of such a layer to bytes while it runs; we compute them in float32. Its own error
# against float32 is about 1 % of the largest output for a layer, and a few layers add up.
SHARE = 0.03
_BYTES = (9, 3)  # INT8 and UINT8 in the schema
_FLOAT32 = 0
_ANY_INPUT = -1


def hybrid_weights(model: Any, graph: Any) -> frozenset[int]:
    """The tensors of `graph` that are constant bytes with scales, which only float operators read."""
    found: set[int] = set()
    others: set[int] = set()
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        floats = _is_float(graph, operator)
        for place in range(operator.InputsLength()):
            tensor = operator.Inputs(place)
            if tensor != _ANY_INPUT:
                (found if floats and _is_quantised_constant(model, graph, tensor) else others).add(tensor)
    return frozenset(found - others)


def _is_float(graph: Any, operator: Any) -> bool:
    """Floats come out, and at least one of the inputs is of floats that are computed (or looked up by)."""
    if not operator.OutputsLength() or graph.Tensors(operator.Outputs(0)).Type() != _FLOAT32:
        return False
    inputs = [operator.Inputs(place) for place in range(operator.InputsLength())]
    kinds = [graph.Tensors(tensor).Type() for tensor in inputs if tensor != _ANY_INPUT]
    return len(kinds) > 1  # a single input of bytes is a DEQUANTIZE


def _is_quantised_constant(model: Any, graph: Any, index: int) -> bool:
    tensor = graph.Tensors(index)
    quantised = tensor.Quantization()
    constant = model.Buffers(tensor.Buffer()).DataLength() > 0
    return bool(constant and tensor.Type() in _BYTES and quantised is not None and quantised.ScaleLength())
