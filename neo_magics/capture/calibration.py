"""Calibration inputs in any form that users have them: many rows, or a list of examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import Arrays, bind_inputs
from neo_magics.errors import CaptureError


def calibration_inputs(data: Any, archive: ModelArchive) -> Arrays:
    """The rows of `data` by the names of the model's inputs, in the dtypes of its examples.

    `data` is what examples are (an array, a tensor, a tuple of them, a dict by name) with any number of rows
    in the first dimension, or a list of such examples. Raises `CaptureError` where they do not fit together.
    """
    names = archive.input_names
    parts = [bind_inputs(part, names, names) for part in (data if isinstance(data, list) else [data])]
    if not parts:
        raise CaptureError("The list of calibration inputs is empty.", hint="Give some typical inputs.")
    try:
        joined = {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in names}
    except ValueError as error:
        raise CaptureError(
            f"The calibration inputs have different shapes: {error}.",
            hint="Give examples that differ in the first dimension only.",
        ) from error
    return {name: _like(array, archive.inputs, name) for name, array in joined.items()}


def _like(array: np.ndarray[Any, Any], examples: Mapping[str, Any], name: str) -> np.ndarray[Any, Any]:
    """Floats in the dtype of the example: NumPy's own are float64."""
    example = examples.get(name)
    wanted = example.dtype if example is not None else np.dtype("float32")
    return array.astype(wanted) if array.dtype.kind == "f" and array.dtype != wanted else array
