"""OpenVINO on its CPU plugin.

After its pages "Performance Hints and Thread Scheduling", "CPU Device" and "Performance tricks in OpenVINO
for latency mode": the LATENCY hint, `inference_num_threads`, `inference_precision` f32 (where a CPU has
bf16, that is its default), its own IR, inputs and outputs shared with NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.peers.common import Arrays, Options, Sources, UnsupportedError, numbered

MODEL = "model.xml"


class OpenVinoCall:
    """One infer request, fed by position."""

    def __init__(self, path: Path, threads: int, dtype: str) -> None:
        import openvino

        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[dtype],
        }
        self._request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
        self.versions = {"openvino": str(openvino.__version__)}
        self.input_specs = ()

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> Arrays:
        """The outputs, numbered; they are OpenVINO's own memory until the next call."""
        results = self._request.infer(list(inputs.values()), share_inputs=True, share_outputs=True)
        return numbered(list(results.to_tuple()))


def prepare(sources: Sources, out: Path, options: Options) -> None:
    """Convert the ONNX file to IR without rounding weights, and compile it once."""
    import openvino

    if options.dtype == "int8":
        raise UnsupportedError("OpenVINO quantises through NNCF, another package.")
    openvino.save_model(openvino.convert_model(sources.need_onnx()), out / MODEL, compress_to_fp16=False)
    OpenVinoCall(out / MODEL, options.threads, options.dtype)


def open_model(folder: Path, threads: int, trust_pickle: bool) -> OpenVinoCall:
    """The compiled model."""
    return OpenVinoCall(folder / MODEL, threads, Options.read(folder).dtype)
