"""A TensorFlow model in TensorFlow: its own signature, variables frozen as for serving.

In the process that measures it, TensorFlow runs directly. Where TVM is loaded, or TensorFlow is in another
environment, each call is a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.tensorflow_process import PYTHON, describe, run, tensor_infos

Array = np.ndarray[Any, Any]


class ApartSource:
    """TensorFlow in another process."""

    def __init__(self, folder: Path, trust: bool) -> None:
        self._folder, self._trust = folder, trust
        said = describe(folder, trust=trust)
        self.input_specs: tuple[TensorInfo, ...] = tensor_infos(said)
        self.versions = {"tensorflow": str(said["version"])}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        return run(self._folder, inputs, trust=self._trust)[0]


class HereSource:
    """TensorFlow in this process."""

    def __init__(self, folder: Path, threads: int | None, trust: bool) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if threads:
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        from neo_magics.capture.tensorflow_child import Model

        self._model = Model(folder, trust)
        self.input_specs: tuple[TensorInfo, ...] = tensor_infos(self._model.describe())
        self.versions = {"tensorflow": self._model.version}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        return self._model.run(dict(inputs))


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> ApartSource | HereSource:
    """The SavedModel or frozen graph in `folder`."""
    model_file(folder, "TENSORFLOW")
    here = importlib.util.find_spec("tensorflow") is not None and not os.environ.get(PYTHON)
    if here and "tvm" not in sys.modules:
        return HereSource(folder, threads, trust_pickle)
    return ApartSource(folder, trust_pickle)
