"""TFLite files of the tests, and what installed packages ship."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.zoo.entry import Entry, Given

_FILES = Path(__file__).parents[2] / "data" / "tflite"
_NEEDS = ("tflite", "ai_edge_litert")


def _file(name: str) -> Any:
    return lambda _folder: Given(_FILES / f"{name}.tflite")


ENTRIES = [
    Entry("TFLITE", "cnn", _file("cnn"), _NEEDS, quick=True),
    Entry("TFLITE", "cnn_fp16", _file("cnn_fp16"), _NEEDS),
    Entry("TFLITE", "cnn_int8", _file("cnn_int8"), _NEEDS, quick=True),
    Entry("TFLITE", "cnn_float_io", _file("cnn_float_io"), _NEEDS),
    Entry("TFLITE", "lstm", _file("lstm"), _NEEDS),
]
