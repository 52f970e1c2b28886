"""An MXNet model without MXNet: ONNX Runtime over the graph that our reader makes of the two files.

MXNet 1.9.1, the last release, needs NumPy 1 and cannot be installed beside this package, so it is not what
a job's result is checked against; our reader is checked against it in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.mxnet import SUFFIXES
from neo_magics.capture.mxnet_graph import Network
from neo_magics.capture.pairs import pair_in
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source_proto import ProtoSource

Array = np.ndarray[Any, Any]


class MxnetSource:
    """A session for each set of shapes."""

    def __init__(self, network: Network, threads: int | None) -> None:
        import onnxruntime

        self._network, self._threads = network, threads
        self._made: tuple[Any, ProtoSource | None] = (None, None)
        self.input_specs: tuple[TensorInfo, ...] = ()  # the files do not say shapes
        self.versions = {"onnxruntime": str(onnxruntime.__version__)}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name."""
        shapes = {name: tuple(inputs[name].shape) for name in self._network.inputs}
        if self._made[0] != shapes or self._made[1] is None:
            self._made = (shapes, ProtoSource(self._network.graph(dict(shapes)), self._threads))
        made = self._made[1]
        assert made is not None  # made just now
        return made.run({name: inputs[name] for name in self._network.inputs})


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> MxnetSource:  # noqa: ARG001
    """The two files in `folder`. They hold no pickle."""
    return MxnetSource(Network(*pair_in(folder, SUFFIXES, "MXNet")), threads)
