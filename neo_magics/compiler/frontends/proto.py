"""Frameworks whose models our own readers turn into an ONNX graph: the ONNX route goes on from there."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.compiler.frontends import onnx
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.errors import CompilationError, UnsupportedOperatorsError


def import_proto(
    proto: Any, input_config: InputConfig | None, options: CompilerOptions, framework: str, version: str
) -> ImportedModel:
    """`proto` as Relax; errors speak of `framework`, whose `version` the model has."""
    import onnx as onnx_package

    with tempfile.TemporaryDirectory() as name:
        onnx_package.save(proto, str(Path(name) / "model.onnx"))
        try:
            imported = onnx.import_folder(Path(name), input_config, options)
        except CompilationError as error:
            raise _speaking_of(framework, error) from error
    return replace(imported, framework_version=version)


def _speaking_of(framework: str, error: CompilationError) -> CompilationError:
    kind = UnsupportedOperatorsError if isinstance(error, UnsupportedOperatorsError) else CompilationError
    return kind(error.message.replace("ONNX model", f"{framework} model"), hint=error.hint, **error.fields)
