"""ONNX models that installed packages ship, with their own weights."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tests.zoo.entry import Entry, Given


def _magika(_folder: Path) -> Given:
    spec = find_spec("magika")
    assert spec is not None
    assert spec.submodule_search_locations
    (model,) = Path(spec.submodule_search_locations[0]).glob("models/standard_v3_3/model.onnx")
    content = np.frombuffer(Path(__file__).read_bytes()[:1024].ljust(2048, b"\0"), np.uint8)
    return Given(model, {"inputs": {"bytes": content.astype(np.int32)[None, :]}})


def _proto(folder: Path) -> Given:
    import onnx

    given = _magika(folder)
    return Given(onnx.load(given.model), given.options)


def _free_batch(folder: Path) -> Given:
    given = _magika(folder)
    return Given(given.model, {**given.options, "input_shape": {"bytes": [None, 2048]}})


_DATA = "shipped by magika"
ENTRIES = [
    Entry("ONNX", "magika", _magika, ("magika",), data=_DATA, quick=True),
    Entry("ONNX", "free_batch", _free_batch, ("magika",), data=_DATA),
    Entry("ONNX", "magika_proto", _proto, ("magika",), data=_DATA),
]
