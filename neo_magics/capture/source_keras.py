"""A Keras model in Keras, called once for each request as its guide advises for small batches.

The backend is the one that the environment names (KERAS_BACKEND), else PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.keras_model import arranged, load_model, model_inputs
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source import SourceModel
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]


class KerasSource:
    """Outputs by the keys of a dict, else by the names of the layers that make them."""

    def __init__(self, path: Path, threads: int | None, trust: bool) -> None:
        self._model, file = load_model(path, trust=trust)
        import keras

        backend = str(keras.backend.backend())
        if threads and backend == "torch":
            import torch

            torch.set_num_threads(threads)
        self._on_torch = backend == "torch"
        self.input_specs: tuple[TensorInfo, ...] = model_inputs(self._model, file)
        self._outputs = file.output_names
        self.versions = {"keras": str(keras.__version__), **_version(backend)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        values = arranged(self._model, [inputs[spec.name] for spec in self.input_specs])
        if not self._on_torch:
            return self._named(self._model.predict_on_batch(values))
        import torch

        with torch.inference_mode():
            return self._named(self._model(values, training=False))

    def _named(self, got: Any) -> dict[str, Array]:
        if isinstance(got, dict):
            return {str(name): _array(value) for name, value in got.items()}
        values = list(got) if isinstance(got, list | tuple) else [got]
        return {
            name: _array(value)
            for name, value in zip(output_names(self._outputs, len(values)), values, strict=True)
        }


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> SourceModel:
    """The model file in `folder`; an exported one runs in PyTorch."""
    path = model_file(folder, "KERAS")
    if path.suffix == ".pt2":
        from neo_magics.capture import source_pytorch

        return source_pytorch.open_model(folder, threads, trust_pickle)
    source = KerasSource(path, threads, trust_pickle)
    if not source.input_specs:
        raise InputError(
            f"{path.name} does not say which inputs its model takes.",
            hint="Build the model (call it once) and save it again; or give the live model.",
        )
    return source


def output_names(named: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The names in the file where there are as many; else output0, output1, …"""
    return named if len(named) == count else tuple(f"output{index}" for index in range(count))


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):
        return np.asarray(value.detach().cpu().numpy())
    return np.asarray(value)


def _version(backend: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {backend: version(backend)}
    except PackageNotFoundError:
        return {}
