"""ONNX Runtime on the CPU provider.

Options of its "Thread management" and "Graph optimizations" pages: all optimisations, sequential execution,
one intra-op thread a core (they spin, its default). Weights are packed when the session is made.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.common import Arrays, Options, Sources, UnsupportedError, numbered

MODEL = "model.onnx"


class OnnxRuntimeCall:
    """A session, fed by position."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        from neo_magics.capture.source_onnx import session_options

        self._session = onnxruntime.InferenceSession(
            str(path), session_options(threads), providers=["CPUExecutionProvider"]
        )
        self._inputs = [value.name for value in self._session.get_inputs()]
        self.versions = {"onnxruntime": str(onnxruntime.__version__)}
        self.input_specs = ()

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """The outputs, numbered."""
        return numbered(self._session.run(None, dict(zip(self._inputs, inputs.values(), strict=True))))


def prepare(sources: Sources, out: Path, options: Options) -> None:
    """Make a session once: optimisation happens in it, every time."""
    if options.dtype != "float32":
        raise UnsupportedError(f"The CPU provider has no {options.dtype} kernels for float models.")
    shutil.copy(sources.need_onnx(), out / MODEL)
    OnnxRuntimeCall(out / MODEL, options.threads)


def open_model(folder: Path, threads: int, trust_pickle: bool) -> OnnxRuntimeCall:
    """A session."""
    return OnnxRuntimeCall(folder / MODEL, threads)
