"""Running a model in its own framework, as its users do: the reference for every compiled result.

A framework is added by one file with `open_model(folder, threads, trust_pickle) -> SourceModel` and one
line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from neo_magics.capture.request import TensorInfo
from neo_magics.errors import InputError

_SOURCES = {
    "PYTORCH": "neo_magics.capture.source_pytorch",
    "ONNX": "neo_magics.capture.source_onnx",
    "KERAS": "neo_magics.capture.source_keras",
    "TFLITE": "neo_magics.capture.source_tflite",
    "DARKNET": "neo_magics.capture.source_darknet",
    "MXNET": "neo_magics.capture.source_mxnet",
    "TENSORFLOW": "neo_magics.capture.source_tensorflow",
    "XGBOOST": "neo_magics.capture.source_xgboost",
    "SKLEARN": "neo_magics.capture.source_sklearn",
}


class SourceModel(Protocol):
    """A model that runs in its own framework. `versions` names the packages that run it."""

    @property
    def input_specs(self) -> tuple[TensorInfo, ...]:
        """The inputs, in order; empty where the file does not say (TorchScript)."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Package → version of what computes the outputs."""

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs by name, in order, named as the compiled model names them."""


def rounding(source: SourceModel) -> dict[str, float]:
    """Output → how far apart two correct results may lie, where the model itself rounds (quantised ones)."""
    return dict(getattr(source, "rounding", {}))


def lowest_precision(source: SourceModel) -> str:
    """The lowest dtype of floats that the model itself computes in, where it says so; else ""."""
    return str(getattr(source, "precision", ""))


def open_source(
    folder: Path, framework: str, *, threads: int | None = None, trust_pickle: bool = False
) -> SourceModel:
    """The model of an unpacked archive, ready to run with `threads` threads (None: the framework's default).

    With `threads` the framework's number of threads is set for the whole process. Raises `InputError` for
    a model that cannot be read and `UntrustedPickleError` for a pickle that is not trusted.
    """
    if framework not in _SOURCES:
        raise InputError(
            f"{framework} models are not yet supported locally.", hint=f"One of {', '.join(_SOURCES)}."
        )
    opened: SourceModel = import_module(_SOURCES[framework]).open_model(folder, threads, trust_pickle)
    return opened
