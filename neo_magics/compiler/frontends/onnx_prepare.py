"""An ONNX model made ready for the importer: its shapes fixed, what is constant computed.

Exporters write shape arithmetic as operators (Shape, Gather, Concat, …). With shapes fixed it is all
constant, and ONNX Runtime's basic level folds it, offline, without leaving standard ONNX.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neo_magics.api.input_config import Shape
from neo_magics.capture.onnx_file import external_files, stored_tensors
from neo_magics.compiler.frontends.onnx_fold import with_constants
from neo_magics.errors import InputError, ResourceError

_INLINE_LIMIT = 2**30  # bytes; beyond it, weights stay in files of their own
_NO_ROOM = 2**16  # bytes free: a disk that was just filled


def fix_shapes(proto: Any, shapes: Mapping[str, Shape]) -> None:
    """Write `shapes` into the inputs of `proto`; free dimensions keep or get a name.

    Declared shapes of inner values and outputs are dropped: they may contradict the new ones, and are
    inferred again.
    """
    for value in proto.graph.input:
        if value.name not in shapes:
            continue
        names = [dim.dim_param for dim in value.type.tensor_type.shape.dim]
        tensor = value.type.tensor_type
        tensor.shape.ClearField("dim")
        for axis, size in enumerate(shapes[value.name]):
            dim = tensor.shape.dim.add()
            if size is None:
                dim.dim_param = _free_name(names[axis] if axis < len(names) else "", value.name, axis)
            else:
                dim.dim_value = size
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.type.tensor_type.ClearField("shape")


def folded(proto: Any, path: Path) -> Any:
    """`proto` after ONNX Runtime's basic optimisations, with its weights.

    `path` is where the model came from: weights in files of their own are read from beside it. Where ONNX
    Runtime lacks a kernel, or refuses what ONNX itself allows, what is constant is computed by ONNX's own
    reference implementation.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix=".fold-", dir=path.parent) as scratch:
        target = Path(scratch) / "folded.onnx"
        try:
            _fold(proto, path, path.with_name(f"{Path(scratch).name}.onnx"), target)
        except Exception as error:
            _check_disk(path.parent, error)
            if not _is_consistent(proto):
                raise InputError(
                    f"ONNX Runtime cannot load the model with these shapes: {_reason(error)}",
                    hint="Check DataInputConfig, and the model with onnx.checker.check_model.",
                ) from error
            result = type(proto)()
            result.CopyFrom(proto)
        else:
            result = onnx.load(str(target), load_external_data=False)
        _load_weights(result, Path(scratch), path.parent)
        return with_constants(result)


def _fold(proto: Any, path: Path, source: Path, target: Path) -> None:
    """Let ONNX Runtime write its optimised `proto` to `target`; `source` is to be beside the weights."""
    import onnx
    import onnxruntime

    try:
        onnx.save(proto, str(source))
        options = _options(target, _large(proto, path))
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    finally:
        source.unlink(missing_ok=True)


def _is_consistent(proto: Any) -> bool:
    """Whether ONNX itself finds no fault with the shapes."""
    import onnx

    try:
        onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except Exception:  # noqa: BLE001  whatever is wrong with it, ONNX Runtime has said it better
        return False
    return True


def _check_disk(folder: Path, error: Exception) -> None:
    """Raise ResourceError where there was no room to write; ONNX Runtime only says that it failed."""
    if shutil.disk_usage(folder).free < _NO_ROOM:
        raise ResourceError(
            "No space is left on the disk while the model is prepared.", hint="Free some space and try again."
        ) from error


def _load_weights(proto: Any, *folders: Path) -> None:
    """ONNX Runtime leaves weights that it did not touch in their own files, and writes the others beside
    its result."""
    from onnx.external_data_helper import load_external_data_for_tensor

    for tensor in stored_tensors(proto.graph):
        location = next((e.value for e in tensor.external_data if e.key == "location"), None)
        if location:
            folder = next(folder for folder in folders if (folder / location).is_file())
            load_external_data_for_tensor(tensor, str(folder))
            tensor.ClearField("external_data")
            tensor.data_location = type(tensor).DEFAULT


def _options(target: Path, large: bool) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the error is raised; ONNX Runtime would print it too
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    if large:
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_file_name", "folded.data"
        )
        options.add_session_config_entry(
            "session.optimized_model_external_initializers_min_size_in_bytes", "1024"
        )
    return options


def _large(proto: Any, path: Path) -> bool:
    beside = sum((path.parent / name).stat().st_size for name in external_files(proto))
    return int(proto.ByteSize()) + beside > _INLINE_LIMIT


def _free_name(own: str, name: str, axis: int) -> str:
    """The model's own name of a dimension where it is a plain one."""
    if re.fullmatch(r"[A-Za-z_]\w*", own, re.ASCII):
        return own
    return re.sub(r"\W", "_", f"{name}_dim{axis}", flags=re.ASCII)


def _reason(error: Exception) -> str:
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error).strip())[:300]
