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

from tests.benchmarks.peers.common import Arrays, Options, Sources, UnsupportedError, calibration, numbered

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
    if options.dtype == "bfloat16":
        raise UnsupportedError(f"The CPU provider has no {options.dtype} kernels for float models.")
    if options.dtype == "int8":
        _quantize(sources, out)
    else:
        shutil.copy(sources.need_onnx(), out / MODEL)
    OnnxRuntimeCall(out / MODEL, options.threads)


def _quantize(sources: Sources, out: Path) -> None:
    """Its page "Quantize ONNX models": pre-processing, static, QDQ, a scale for each channel of weights.

    Bytes without a sign for activations, with one for weights: its advice for CPUs with VNNI.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from neo_magics.runtime.exchange import load_arrays

    prepared = out / "prepared.onnx"
    quant_pre_process(str(sources.need_onnx()), str(prepared))
    quantize_static(
        str(prepared),
        str(out / MODEL),
        _Reader(calibration(load_arrays(sources.inputs))),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


class _Reader:
    """What `quantize_static` asks for inputs."""

    def __init__(self, calls: list[Arrays]) -> None:
        self._calls = iter(calls)

    def get_next(self) -> Arrays | None:
        """The next call's inputs, None at the end."""
        return next(self._calls, None)


def open_model(folder: Path, threads: int, trust_pickle: bool) -> OnnxRuntimeCall:
    """A session."""
    return OnnxRuntimeCall(folder / MODEL, threads)
