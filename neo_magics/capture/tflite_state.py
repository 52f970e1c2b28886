"""A TFLite model with variables as one without: its state goes in and comes out.

Streaming models (wake words, keyword spotting) keep what they have heard in variables: VAR_HANDLE names one,
READ_VARIABLE and ASSIGN_VARIABLE are in the graph, and CALL_ONCE runs a graph that sets them at first. A
compiled model keeps nothing between calls, so each variable becomes an input with its name and an output
`NAME_next`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neo_magics.capture.needs import needed
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]
_MAGIC = b"TFL3"
_NONE = -1  # an operator's input that is left out


@dataclass
class _Found:
    """By variable: the tensor that holds it at first, the one that holds it now, the one it is set to."""

    first: dict[str, int] = field(default_factory=dict)
    now: dict[str, int] = field(default_factory=dict)
    assigned: dict[str, int] = field(default_factory=dict)


def has_variables(tflite: Any, model: Any) -> bool:
    """Whether the main graph of the tflite package's `model` names a variable."""
    graph, wanted = model.Subgraphs(0), tflite.BuiltinOperator.VAR_HANDLE
    codes = (model.OperatorCodes(graph.Operators(k).OpcodeIndex()) for k in range(graph.OperatorsLength()))
    return any(code.BuiltinCode() == wanted for code in codes)


def without_variables(content: bytes) -> tuple[bytes, dict[str, Array]]:
    """The bytes of the model with its state as inputs and outputs, and the first state by input name.

    `InputError` for a variable whose first value the file does not hold.
    """
    import flatbuffers

    schema = needed("ai_edge_litert.schema_py_generated", "TFLite models with variables", "tflite")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    main = model.subgraphs[0]
    found, kept = _Found(), []
    replaced: dict[int, int] = {}
    names: dict[int, str] = {}  # handle's tensor → variable
    for operator in main.operators:
        if not _is_of_state(schema, model, operator, found, names, replaced):
            operator.inputs = _mapped(operator.inputs, replaced)
            kept.append(operator)
    main.operators = kept
    main.outputs = _mapped(main.outputs, replaced)
    first = _first_values(schema, model)
    model.subgraphs = [main] if not _calls(schema, model, kept) else model.subgraphs
    model.signatureDefs = []
    state = _exposed(main, found, first)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=_MAGIC)
    return bytes(builder.Output()), state


def _is_of_state(
    schema: Any, model: Any, operator: Any, found: _Found, names: dict[int, str], replaced: dict[int, int]
) -> bool:
    """Whether `operator` only handles variables; `found`, `names` and `replaced` (a tensor that is read → the
    one that holds the value) are told what it does."""
    kind = _code(schema, model, operator)
    if kind == "VAR_HANDLE":
        names[operator.outputs[0]] = _name(operator)
    elif kind == "READ_VARIABLE":
        name, result = names[operator.inputs[0]], int(operator.outputs[0])
        if name not in found.now:
            found.first[name] = found.now[name] = result
        else:
            replaced[result] = found.now[name]
    elif kind == "ASSIGN_VARIABLE":
        name, value = names[operator.inputs[0]], int(operator.inputs[1])
        found.now[name] = found.assigned[name] = replaced.get(value, value)
    return kind in ("VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE")


def _exposed(main: Any, found: _Found, first: Mapping[str, Array]) -> dict[str, Array]:
    """Make inputs and outputs of the variables that the graph reads; their first values by input name."""
    unset = sorted(set(found.first) - set(first))
    if unset:
        raise InputError(
            f"The model does not say how its variables begin: {', '.join(unset)}.",
            hint="Convert it again, with the state as inputs and outputs.",
        )
    state: dict[str, Array] = {}
    main.inputs, main.outputs = list(main.inputs), list(main.outputs)
    for name, tensor in found.first.items():
        main.inputs.append(tensor)
        main.tensors[tensor].name = name.encode()
        state[name] = first[name]
        value = found.assigned.get(name)
        if value is not None:
            if value not in main.outputs and value not in main.inputs:
                main.tensors[value].name = f"{name}_next".encode()
            main.outputs.append(value)
    return state


def _first_values(schema: Any, model: Any) -> dict[str, Array]:
    """What the other graphs assign to variables, where that is constant."""
    found: dict[str, Array] = {}
    for graph in model.subgraphs[1:]:
        names: dict[int, str] = {}
        for operator in graph.operators:
            kind = _code(schema, model, operator)
            if kind == "VAR_HANDLE":
                names[operator.outputs[0]] = _name(operator)
            elif kind == "ASSIGN_VARIABLE":
                value = _constant(schema, model, graph.tensors[operator.inputs[1]])
                found |= {names[operator.inputs[0]]: value} if value is not None else {}
    return found


def _constant(schema: Any, model: Any, tensor: Any) -> Array | None:
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data):
        return None
    kinds = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    raw = np.asarray(data, np.uint8).tobytes()
    return np.frombuffer(raw, kinds[tensor.type].lower()).reshape(tensor.shape)


def _calls(schema: Any, model: Any, operators: list[Any]) -> bool:
    """Whether other graphs are still in use."""
    return any(_code(schema, model, each) in ("IF", "WHILE", "CALL") for each in operators)


def _code(schema: Any, model: Any, operator: Any) -> str:
    number = model.operatorCodes[operator.opcodeIndex].builtinCode
    listed = vars(schema.BuiltinOperator).items()
    return next((name for name, value in listed if value == number), "")


def _name(operator: Any) -> str:
    said = operator.builtinOptions.sharedName
    return said.decode() if isinstance(said, bytes) else str(said)


def _mapped(tensors: Any, replaced: Mapping[int, int]) -> list[int]:
    return [replaced.get(int(each), int(each)) if int(each) != _NONE else _NONE for each in tensors]
