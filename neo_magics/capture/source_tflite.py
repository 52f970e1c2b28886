"""A TFLite model in LiteRT's interpreter with its default delegate for CPUs (XNNPACK)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.files import model_file
from neo_magics.capture.needs import needed
from neo_magics.capture.tflite_file import read_tflite
from neo_magics.capture.tflite_hybrid import SHARE, hybrid_weights
from neo_magics.errors import InputError

Array = np.ndarray[Any, Any]


def interpreter(content: bytes, threads: int | None, *, delegate: bool = True) -> Any:
    """LiteRT's interpreter over the bytes of a model, with its default delegate or without any."""
    module = needed(
        "ai_edge_litert.interpreter", "TFLite models, which are checked against LiteRT,", "tflite"
    )
    try:
        if delegate:
            return module.Interpreter(model_content=content, num_threads=threads)
        plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        return module.Interpreter(
            model_content=content, num_threads=threads, experimental_op_resolver_type=plain
        )
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"LiteRT cannot load the model: {' '.join(str(error).split())[:300]}",
            hint="It may be cut short, or need operators that are not in it. Convert the model again.",
        ) from error


class TfliteSource:
    """Inputs of another size than before resize the model once."""

    def __init__(self, path: Path, threads: int | None) -> None:
        file = read_tflite(path.read_bytes(), path.name)
        self.input_specs = file.inputs
        self.rounding = dict(file.rounding)
        self._is_hybrid = bool(hybrid_weights(file.model, file.model.Subgraphs(0)))
        self._outputs = [spec.name for spec in file.outputs]
        self._interpreter = interpreter(file.content, threads)
        self._places = [detail["index"] for detail in self._interpreter.get_input_details()]
        self._results = [detail["index"] for detail in self._interpreter.get_output_details()]
        self._shapes: list[tuple[int, ...]] = []
        self.versions = {"ai-edge-litert": _version()}

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by the names of their tensors."""
        values = [inputs[spec.name] for spec in self.input_specs]
        self._resize([value.shape for value in values])
        for place, value in zip(self._places, values, strict=True):
            self._interpreter.set_tensor(place, value)
        self._interpreter.invoke()
        found = [self._interpreter.get_tensor(place) for place in self._results]
        outputs = dict(zip(self._outputs, found, strict=True))
        if self._is_hybrid:
            self._allow_for(outputs)
        return outputs

    def _allow_for(self, outputs: Mapping[str, Array]) -> None:
        """What LiteRT's rounding of a hybrid layer's inputs may make of these outputs."""
        for name, value in outputs.items():
            if value.dtype.kind == "f":
                largest = float(np.abs(value).max(initial=0.0))
                self.rounding[name] = max(self.rounding.get(name, 0.0), SHARE * largest)

    def _resize(self, shapes: list[tuple[int, ...]]) -> None:
        if shapes == self._shapes:
            return
        current = [tuple(detail["shape"]) for detail in self._interpreter.get_input_details()]
        for place, shape, now in zip(self._places, shapes, current, strict=True):
            if shape != now:
                self._interpreter.resize_tensor_input(place, shape)
        self._interpreter.allocate_tensors()
        self._shapes = shapes


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> TfliteSource:  # noqa: ARG001
    """The .tflite file in `folder`. It holds no pickle."""
    return TfliteSource(model_file(folder, "TFLITE"), threads)


def _version() -> str:
    from importlib.metadata import version

    return version("ai-edge-litert")
