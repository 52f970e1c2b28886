"""What all models over a table share: one input [rows, features] of floating-point numbers, rows free."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.api.input_config import Shape, render
from neo_magics.capture.archive import ModelArchive
from neo_magics.capture.inputs import bind_inputs
from neo_magics.capture.request import CaptureRequest
from neo_magics.errors import CaptureError

INPUT = "input"
LABEL, PROBABILITY, PREDICTION, SCORE = "label", "probability", "prediction", "score"
_PICKLES = (b"\x80", b"(", b"c")  # how a pickle begins, by protocol


def table_archive(
    framework: str,
    version: str,
    files: Mapping[str, bytes | Path],
    features: int,
    request: CaptureRequest,
    default_dtype: str,
) -> ModelArchive:
    """The archive of a model with `features` columns; the example table says the dtype."""
    examples = _examples(request, features)
    shape = _shape(request, features)
    return ModelArchive(
        framework=framework,
        framework_version=version,
        data_input_config=render({INPUT: shape}),
        files=files,
        inputs=examples,
        input_names=(INPUT,),
        input_dtypes={} if examples else {INPUT: default_dtype},
    )


def is_pickle(head: bytes) -> bool:
    """Whether a file that begins like this is read by unpickling it."""
    return head.startswith(_PICKLES[0])


def _examples(request: CaptureRequest, features: int) -> dict[str, np.ndarray[Any, Any]]:
    if request.inputs is None:
        return {}
    given = request.inputs
    if isinstance(given, list):  # of rows, as scikit-learn's users write them
        given = np.asarray(given)
    table = bind_inputs(given, [INPUT], [INPUT])[INPUT]
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    if table.ndim != 2 or table.shape[1] != features:
        raise CaptureError(
            f"The model takes rows of {features} features; the example has shape {list(table.shape)}.",
            hint=f"Give a table [rows, {features}].",
        )
    return {INPUT: np.asarray(table, order="C")}


def _shape(request: CaptureRequest, features: int) -> Shape:
    shape = request.shapes([INPUT]).get(INPUT, (None, features))
    if len(shape) != 2 or shape[1] != features:
        raise CaptureError(
            f"The model takes rows of {features} features; the input shape is {list(shape)}.",
            hint=f'Give {{"{INPUT}": [null, {features}]}}, or a number of rows in place of null.',
        )
    return shape
