"""Reading an ONNX file and what it says about its inputs, outputs and files of weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from neo_magics.errors import InputError, UnsafeArchiveError


def read_onnx(path: Path, *, weights: bool = True) -> Any:
    """The ModelProto in `path`; `weights=False` leaves external data out.

    Raises `InputError` for a file that is not a whole ONNX model or lacks its weights, and
    `UnsafeArchiveError` where weights would be read from outside the model's folder.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        proto = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise _unreadable(path, str(error) or "it is cut short") from error
    if not proto.graph.output or not proto.opset_import:
        raise _unreadable(path, "it has no graph")
    for name in external_files(proto):
        if not (path.parent / name).is_file():
            raise InputError(
                f"The weights of {path.name} are in {name}, which is not beside it.",
                hint="Keep the file of weights in the folder (or archive) of the model.",
            )
    if weights:
        onnx.load_external_data_for_model(proto, str(path.parent))
    return proto


def external_files(proto: Any) -> list[str]:
    """The files that hold weights, relative to the model; `UnsafeArchiveError` for a path that leaves it."""
    entries = (entry for tensor in stored_tensors(proto.graph) for entry in tensor.external_data)
    names = {entry.value for entry in entries if entry.key == "location"}
    for name in names:
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name:
            raise UnsafeArchiveError(
                f"The model reads weights from {name!r}, which is outside its folder.",
                hint="Save the model again with its weights beside it.",
            )
    return sorted(names)


def graph_inputs(proto: Any) -> list[Any]:
    """The inputs that a user gives: those without a default among the initialisers."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    stored |= {tensor.values.name for tensor in proto.graph.sparse_initializer}
    return [value for value in proto.graph.input if value.name not in stored]


def value_shape(value: Any) -> tuple[int | None, ...] | None:
    """The declared shape of a ValueInfo; None in it for a free dimension, None for an unknown rank."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(_size(dim) for dim in tensor.shape.dim)


def symbolic_shape(value: Any) -> tuple[int | str, ...] | None:
    """As `value_shape`, with names for free dimensions (the model's own where it has them)."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = enumerate(tensor.shape.dim)
    return tuple(_size(dim) or dim.dim_param or f"{value.name}_dim{axis}" for axis, dim in dims)


def value_dtype(value: Any) -> str:
    """The dtype of a ValueInfo as NumPy or ml_dtypes names it."""
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise InputError(
            f"Input or output {value.name!r} of the model is a {kind}, not a tensor.",
            hint="Only models that take and return tensors can be compiled; skl2onnx makes them with "
            "options={'zipmap': False}.",
        )
    element = value.type.tensor_type.elem_type
    if element == onnx.TensorProto.STRING:
        raise InputError(
            f"Input or output {value.name!r} of the model is text.",
            hint="Cut the text part off the model and compile the numeric part.",
        )
    return str(onnx.helper.tensor_dtype_to_np_dtype(element))


def _size(dim: Any) -> int | None:
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value > 0 else None


def stored_tensors(graph: Any) -> Iterator[Any]:
    """Every stored tensor of `graph` and its subgraphs."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from stored_tensors(inner)


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(
        f"{path.name} is not an ONNX model that can be read: {why[:200]}",
        hint="It may be cut short. Check it with onnx.checker.check_model and save it again.",
    )
