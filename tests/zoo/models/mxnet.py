"""MXNet files, written by MXNet 1.9.1; MXNet itself is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.zoo.entry import Entry, Given

_FILES = Path(__file__).parents[2] / "data" / "mxnet"


def _file(name: str) -> Any:
    def make(_folder: Path) -> Given:
        with np.load(_FILES / f"{name}.npz") as arrays:
            inputs = {key[3:]: arrays[key] for key in arrays.files if key.startswith("in_")}
        return Given(_FILES / f"{name}-symbol.json", {"inputs": inputs})

    return make


ENTRIES = [
    Entry("MXNET", "cnn", _file("cnn"), quick=True),
    Entry("MXNET", "attention", _file("attention")),
]
