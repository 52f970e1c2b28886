"""ONNX: shapes fixed, constants folded by ONNX Runtime, then TVM's importer with our converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.artifact.dtypes import is_narrow
from neo_magics.artifact.manifest import TensorSpec
from neo_magics.capture.files import model_file
from neo_magics.capture.onnx_file import graph_inputs, read_onnx, symbolic_shape, value_dtype, value_shape
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.compiler.frontends.onnx_checks import check_operators, convertible
from neo_magics.compiler.frontends.onnx_expand import expanded
from neo_magics.compiler.frontends.onnx_graph import opset_of
from neo_magics.compiler.frontends.onnx_importer import graph_to_module
from neo_magics.compiler.frontends.onnx_prepare import fix_shapes, folded
from neo_magics.compiler.frontends.onnx_sizes import widen_sizes
from neo_magics.compiler.frontends.relax_tools import shape_of
from neo_magics.compiler.frontends.shapes import by_name, check_shape, config_of, shape_text
from neo_magics.errors import InputError


def import_folder(
    folder: Path,
    input_config: InputConfig | None,
    options: CompilerOptions,  # noqa: ARG001  none of them concerns ONNX
) -> ImportedModel:
    """The .onnx file in `folder`; its shapes from `input_config`, or its own where all are known."""
    path = model_file(folder, "ONNX")
    proto = read_onnx(path, weights=False)
    values = graph_inputs(proto)
    _check_outputs(proto)
    shapes = _shapes(values, input_config)
    fix_shapes(proto, shapes)
    proto = expanded(proto, lambda node: not convertible(node))
    try:
        optimised = folded(proto, path)
    except InputError:
        check_operators(proto)  # ONNX Runtime names one operator, this all of them
        raise
    optimised = expanded(optimised, lambda node: not convertible(node))
    check_operators(optimised)
    widen_sizes(optimised)
    module, results = graph_to_module(optimised)
    inputs = tuple(TensorSpec(v.name, symbolic_shape(v) or (), value_dtype(v)) for v in graph_inputs(proto))
    return ImportedModel(
        module=module,
        inputs=inputs,
        outputs=_outputs(proto, results),
        framework_version=f"opset {opset_of(proto)}",
        derived_input_config=config_of({spec.name: spec.shape for spec in inputs}) if inputs else "",
    )


def _check_outputs(proto: Any) -> None:
    """Raise InputError for a sequence, a map or text among the results."""
    for value in proto.graph.output:
        if value.type.WhichOneof("value") is not None:
            value_dtype(value)


def _shapes(values: list[Any], config: InputConfig | None) -> dict[str, tuple[int | None, ...]]:
    if config is None:
        declared = {value.name: value_shape(value) for value in values}
        for name, shape in declared.items():
            if shape is None or None in shape:
                text = "of unknown rank" if shape is None else shape_text(shape)
                raise InputError(
                    f"The model leaves the shape of input {name!r} open: {text}.",
                    hint=f'Give DataInputConfig, as {{"{name}": [1, …]}} (null for a free dimension).',
                    input=name,
                )
        return {name: shape for name, shape in declared.items() if shape is not None}
    shapes = by_name(config, [value.name for value in values])
    for value in values:
        check_shape(value.name, shapes[value.name], symbolic_shape(value))
    return shapes


def _outputs(proto: Any, results: list[Any]) -> tuple[TensorSpec, ...]:
    pairs = list(zip(proto.graph.output, results, strict=True))
    return tuple(TensorSpec(value.name, shape_of(tensor), _dtype(value, tensor)) for value, tensor in pairs)


def _dtype(value: Any, tensor: Any) -> str:
    """ONNX's dtype of an output where `tensor` only carries it."""
    declared = value_dtype(value) if value.type.tensor_type.elem_type else ""
    return declared if is_narrow(declared) else str(tensor.dtype)
