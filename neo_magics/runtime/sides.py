"""The two sides of a measurement: a source model in its framework, and an artifact in TVM's runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from neo_magics.settings import TENSORFLOW_PYTHON

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array

SOURCE, ARTIFACT = "source", "artifact"
_SOURCE_LABELS = {
    "PYTORCH": "PyTorch",
    "ONNX": "ONNX Runtime",
    "KERAS": "Keras",
    "TFLITE": "LiteRT",
    "DARKNET": "Darknet",
    "MXNET": "ONNX Runtime",  # MXNet itself cannot be installed beside this package
    "TENSORFLOW": "TensorFlow",
    "XGBOOST": "XGBoost",
    "SKLEARN": "scikit-learn",
}


class Runnable(Protocol):
    """What both sides are to the process that measures them: NumPy arrays by name in and out."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""


@dataclass(frozen=True)
class Side:
    """One side. `folder` is an unpacked model archive ("source") or an artifact's folder or archive.

    `opener` names the module that opens `folder` in place of the framework's own, by a function
    `open_model(folder, threads, trust_pickle)` that returns a `capture.source.SourceModel`. `python` is the
    interpreter of another environment, where the framework is in one.
    """

    kind: str
    folder: Path
    label: str
    framework: str = ""
    trust_pickle: bool = False
    opener: str = ""
    python: str = ""

    @classmethod
    def source(cls, folder: Path, framework: str, *, label: str = "", trust_pickle: bool = False) -> Side:
        """The model as it was before compilation, run by its own framework."""
        own = "JAX" if (Path(folder) / "model.jax").is_file() else _SOURCE_LABELS.get(framework, framework)
        label = label or own
        python = os.environ.get(TENSORFLOW_PYTHON, "") if framework == "TENSORFLOW" else ""
        return cls(SOURCE, Path(folder), label, framework, trust_pickle, python=python)

    @classmethod
    def artifact(cls, folder: Path, *, label: str = "compiled") -> Side:
        """A compiled model."""
        return cls(ARTIFACT, Path(folder), label)

    @classmethod
    def opened_by(cls, opener: str, folder: Path, *, label: str) -> Side:
        """Any other runtime, which the module `opener` knows how to run."""
        return cls(SOURCE, Path(folder), label, opener=opener)

    def to_request(self) -> dict[str, Any]:
        """For the worker, as JSON."""
        return {
            "kind": self.kind,
            "folder": str(self.folder),
            "framework": self.framework,
            "trust_pickle": self.trust_pickle,
            "opener": self.opener,
        }

    @property
    def size_bytes(self) -> int:
        """Bytes of the files, our own notes beside a source model (examples, names) left out."""
        if self.folder.is_file():
            return self.folder.stat().st_size
        return sum(
            path.stat().st_size
            for path in self.folder.rglob("*")
            if path.is_file() and not (self.kind == SOURCE and "neo_magics" in path.parts[-2:-1])
        )
