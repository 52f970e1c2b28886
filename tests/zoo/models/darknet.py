"""Darknet networks: classifiers, and YOLO heads decoded to boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.compiler.frontends.darknet_models import CLASSIFIER, YOLO_V2, YOLO_V3, files
from tests.zoo.entry import Entry, Given


def _files(text: str) -> Any:
    return lambda folder: Given(files(Path(folder), text))


ENTRIES = [
    Entry("DARKNET", "yolo_v3", _files(YOLO_V3), quick=True),
    Entry("DARKNET", "yolo_v2", _files(YOLO_V2)),
    Entry("DARKNET", "classifier", _files(CLASSIFIER)),
]
