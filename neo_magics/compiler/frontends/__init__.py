"""A model archive as a Relax module: one file per framework.

A framework is added by one file with
`import_folder(folder, input_config, options) -> ImportedModel` and one line in `_IMPORTERS`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.input_config import InputConfig
from neo_magics.compiler.frontends.imported import ImportedModel
from neo_magics.errors import InputError

__all__ = ["ImportedModel", "import_model"]

_IMPORTERS = {
    "PYTORCH": "neo_magics.compiler.frontends.pytorch",
    "ONNX": "neo_magics.compiler.frontends.onnx",
    "KERAS": "neo_magics.compiler.frontends.keras",
    "TFLITE": "neo_magics.compiler.frontends.tflite",
    "DARKNET": "neo_magics.compiler.frontends.darknet",
    "MXNET": "neo_magics.compiler.frontends.mxnet",
    "TENSORFLOW": "neo_magics.compiler.frontends.tensorflow",
    "XGBOOST": "neo_magics.compiler.frontends.xgboost",
    "SKLEARN": "neo_magics.compiler.frontends.sklearn",
}


def import_model(
    folder: Path, framework: str, input_config: InputConfig | None, options: CompilerOptions
) -> ImportedModel:
    """The model of an unpacked archive as Relax.

    `input_config` are the shapes by name or in order (None: derive them). Raises `InputError` for a file
    or shapes that do not fit, `UnsupportedOperatorsError` with all operators that cannot be converted, and
    `CompilationError` naming the operator where the conversion fails.
    """
    if framework not in _IMPORTERS:
        raise InputError(
            f"{framework} models are not yet supported locally.",
            hint=f"Convert the model to one of {', '.join(_IMPORTERS)}.",
        )
    importer = import_module(_IMPORTERS[framework])
    imported: ImportedModel = importer.import_folder(folder, input_config, options)
    return imported
