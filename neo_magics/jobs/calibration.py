"""The calibration inputs of a job, cut into calls of the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.capture.archive import read_calibration_inputs
from neo_magics.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from neo_magics.artifact.manifest import TensorSpec

    Arrays = Mapping[str, np.ndarray[Any, Any]]

MOST_CALLS = 512
FREE_ROWS = 8  # of a call where the batch is free


def calibration_calls(folder: Path, specs: Sequence[TensorSpec]) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
    """The inputs of each call that the archive in `folder` has rows for, by name.

    Raises InputError where the rows are not of the model's shapes.
    """
    from neo_magics.jobs.verification import fits
    from neo_magics.runtime.evaluation import calls, rows_per_call

    rows = read_calibration_inputs(folder)
    if not rows:
        return
    free = all(spec.shape and isinstance(spec.shape[0], str) for spec in specs)
    sizes = dict.fromkeys(rows, FREE_ROWS) if free else rows_per_call(rows, specs)
    for call in islice(calls(rows, sizes), MOST_CALLS):
        if not fits(call, specs):
            said = ", ".join(f"{name}: {array.dtype}{list(array.shape)}" for name, array in call.items())
            wanted = ", ".join(map(str, specs))
            raise InputError(
                f"The calibration inputs ({said}) do not fit the model's inputs ({wanted}).",
                hint="Give rows of the shape and dtype that the model takes.",
            )
        yield call
