"""An ONNX model in ONNX Runtime, with its defaults for speed: all optimisations, CPU, n threads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.onnx_file import graph_inputs, read_onnx, symbolic_shape, value_dtype
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source_jax import FILE, JaxSource, is_jax
from neo_magics.capture.tflite_hybrid import SHARE
from neo_magics.errors import InputError


class OnnxSource:
    """A session over the model's own file, so that external data are found."""

    def __init__(self, path: Path, threads: int | None) -> None:
        import onnxruntime

        proto = read_onnx(path, weights=False)
        values = graph_inputs(proto)
        self._rounds = _rounds_inputs(proto.graph)
        self.rounding: dict[str, float] = {}
        self.input_specs = tuple(TensorInfo(v.name, symbolic_shape(v) or (), value_dtype(v)) for v in values)
        self.versions = {"onnxruntime": str(onnxruntime.__version__)}
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), session_options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise InputError(
                f"ONNX Runtime cannot load {path.name}: {str(error).strip()[:300]}",
                hint="Check the model with onnx.checker.check_model.",
            ) from error
        self.outputs = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
        """The outputs by the model's own names."""
        found = dict(zip(self.outputs, self._session.run(self.outputs, dict(inputs)), strict=True))
        for name, value in found.items() if self._rounds else ():
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                allowed = SHARE * float(np.abs(value).max(initial=0.0))
                self.rounding[name] = max(self.rounding.get(name, 0.0), allowed)
        return found


def _rounds_inputs(graph: Any) -> bool:
    """Whether ONNX Runtime rounds the inputs of an LSTM to bytes while it runs; they stay floats here."""
    inner = (each.g for node in graph.node for each in node.attribute if each.HasField("g"))
    quantised = any(node.op_type == "DynamicQuantizeLSTM" for node in graph.node)
    return quantised or any(_rounds_inputs(each) for each in inner)


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> OnnxSource | JaxSource:
    """The ONNX model in `folder`; it holds no pickle. Where it was a JAX function, that, if JAX is here."""
    source = OnnxSource(model_file(folder, "ONNX"), threads)
    if is_jax(folder):
        return JaxSource(folder / FILE, source.input_specs, source.outputs, trust_pickle)
    return source


def session_options(threads: int | None) -> Any:
    """ONNX Runtime's options for one request at a time on the CPU; 3: only errors are logged."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    if threads:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    return options
