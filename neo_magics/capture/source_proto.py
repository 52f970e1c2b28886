"""An ONNX graph in memory, run by ONNX Runtime: for the readers of other formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neo_magics.capture.source_onnx import session_options

Array = np.ndarray[Any, Any]


class ProtoSource:
    """The graph's outputs by name."""

    def __init__(self, proto: Any, threads: int | None) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(
            proto.SerializeToString(), session_options(threads), providers=["CPUExecutionProvider"]
        )
        self._outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for `inputs`."""
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))
