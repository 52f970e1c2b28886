"""A Darknet model in OpenCV's dnn module, where an OpenCV that still reads Darknet is installed (4.x).

Otherwise ONNX Runtime runs what our own reader made of the files: then it is the reader that is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.capture.darknet import SUFFIXES
from neo_magics.capture.darknet_cfg import Section
from neo_magics.capture.darknet_graph import INPUT, Network, default_activation
from neo_magics.capture.pairs import pair_in
from neo_magics.capture.request import TensorInfo
from neo_magics.capture.source_proto import ProtoSource

_HEADS, _CLASSES = ("yolo", "region"), ("soft", "cost")
Array = np.ndarray[Any, Any]


class _Darknet:
    """Sizes come with the inputs: a network for each that is asked for."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        self._network = Network(*pair_in(folder, SUFFIXES, "Darknet"))
        self._network.check()
        self._threads = threads
        self._made: tuple[tuple[int, ...], Any] = ((), None)
        height, width = self._network.size
        self.input_specs = (TensorInfo(INPUT, ("batch", self._network.channels, height, width), "float32"),)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Boxes of each head, or the last layer's result."""
        image = inputs[INPUT]
        if self._made[0] != image.shape[2:]:
            self._made = (image.shape[2:], self._open(*image.shape[2:]))
        return self._call(self._made[1], image)

    def has(self, kind: str) -> bool:
        """Whether the network has a layer of this kind."""
        return any(layer.kind == kind for layer in self._network.layers)

    def is_beyond_opencv(self) -> bool:
        """Whether a layer has an option that OpenCV reads over, or stops at."""
        return any(map(_is_beyond_opencv, self._network.layers))

    def _open(self, height: int, width: int) -> Any:
        raise NotImplementedError

    def _call(self, model: Any, image: Array) -> dict[str, Array]:
        raise NotImplementedError


class OrtDarknet(_Darknet):
    """ONNX Runtime over our reader's graph."""

    def __init__(self, folder: Path, threads: int | None) -> None:
        super().__init__(folder, threads)
        import onnxruntime

        self.versions = {"onnxruntime": str(onnxruntime.__version__)}

    def _open(self, height: int, width: int) -> ProtoSource:
        return ProtoSource(self._network.graph(height, width), self._threads)

    def _call(self, model: ProtoSource, image: Array) -> dict[str, Array]:
        return model.run({INPUT: image})


class OpencvDarknet(_Darknet):
    """OpenCV's own reader and kernels. Scores below a threshold are kept, which it would set to 0."""

    def __init__(self, cv2: Any, folder: Path, threads: int | None) -> None:
        super().__init__(folder, threads)
        self._cv2 = cv2
        if threads:
            cv2.setNumThreads(threads)
        self.versions = {"opencv": str(cv2.__version__)}
        self._names = [output.name for output in self._network.graph().graph.output]

    def _open(self, height: int, width: int) -> Any:
        text = _with_sizes(self._network.text, height, width)
        weights = self._network.weights.read_bytes()
        return self._cv2.dnn.readNetFromDarknet(
            np.frombuffer(text.encode(), np.uint8), np.frombuffer(weights, np.uint8)
        )

    def _call(self, model: Any, image: Array) -> dict[str, Array]:
        model.setInput(np.ascontiguousarray(image), INPUT)
        found = model.forward(list(model.getUnconnectedOutLayersNames()))
        batch = len(image)
        return {
            name: value.reshape(batch, -1, value.shape[-1])
            if name.startswith(_HEADS)
            else value.reshape(batch, -1)  # OpenCV keeps a classifier's height and width of 1
            if name.startswith(_CLASSES)
            else value
            for name, value in zip(self._names, found, strict=True)
        }


def _is_beyond_opencv(layer: Section) -> bool:
    beyond: dict[str, Callable[[], Any]] = {
        **dict.fromkeys(("gaussian_yolo", "detection", "local"), lambda: True),
        "shortcut": lambda: len(layer.several("from")) > 1,
        "conv": lambda: layer.whole("dilation", 1) != 1 or {"stride_x", "stride_y"} & set(layer.options),
        "conn": lambda: layer.whole("batch_normalize", 0),
        "upsample": lambda: layer.real("scale", 1.0) != 1.0,
        "soft": lambda: layer.real("temperature", 1.0) != 1.0,
        "yolo": lambda: not layer.several("mask"),
    }
    found = any(test() for kind, test in beyond.items() if layer.kind.startswith(kind))
    unsaid = default_activation(layer) != "linear" and "activation" not in layer.options
    return found or unsaid or layer.options.get("activation") in ("elu", "selu", "relu6")


def _with_sizes(text: str, height: int, width: int) -> str:
    """The .cfg for another size, with every score of a YOLO layer as it is computed."""
    net, first, rest = text.partition("\n[") if "\n[" in text else (text, "", "")
    for key, size in (("height", height), ("width", width)):
        net, count = re.subn(rf"(?m)^\s*{key}\s*=.*$", f"{key}={size}", net)
        net += "" if count else f"\n{key}={size}\n"
    rest = re.sub(r"(?m)^\s*thresh\s*=.*\n", "", rest)
    return net + first + re.sub(r"(?m)^(\[?)(yolo|region)\]\s*$", r"\1\2]\nthresh=0", rest)


def open_model(folder: Path, threads: int | None, trust_pickle: bool) -> _Darknet:  # noqa: ARG001
    """The two files in `folder`. They hold no pickle."""
    ours = OrtDarknet(folder, threads)
    try:
        import cv2
    except ImportError:
        return ours
    if not hasattr(cv2.dnn, "readNetFromDarknet"):  # OpenCV 5
        return ours
    # In region layers OpenCV also sets the scores of overlapping boxes to 0, which the layer itself does not.
    return ours if ours.has("region") or ours.is_beyond_opencv() else OpencvDarknet(cv2, folder, threads)
