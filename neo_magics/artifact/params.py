"""`compiled.params`: the weights as raw bytes, each at an offset that vector loads like.

There is no header: the manifest lists names, shapes, dtypes and offsets. So the runtime maps the file into
memory and uses it in place, and processes that run the same model share the pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from neo_magics.artifact.manifest import ParamSpec
from neo_magics.errors import ArtifactError

if TYPE_CHECKING:
    import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def write_params(path: Path, arrays: Iterable[tuple[str, np.ndarray]]) -> tuple[ParamSpec, ...]:
    """Write (name, array) pairs to `path` in order; returns where each lies.

    Arrays may have any dtype of NumPy or ml_dtypes; big-endian ones are refused with `ValueError`.
    """
    with path.open("wb") as file:
        return tuple(_append(file, name, array) for name, array in arrays)


def check_layout(params: Iterable[ParamSpec], size: int) -> None:
    """Raise `ArtifactError` unless every weight lies aligned within a file of `size` bytes."""
    for spec in params:
        if spec.offset % ALIGNMENT or spec.offset + spec.nbytes > size:
            raise ArtifactError(
                f"The weight {spec.name!r} is said to lie at {spec.offset} + {spec.nbytes} bytes, "
                f"which does not fit a weights file of {size} bytes.",
                hint="Fetch the artifact again or compile the model again.",
            )


def _append(file: IO[bytes], name: str, array: np.ndarray) -> ParamSpec:
    if array.dtype.byteorder == ">":
        raise ValueError(f"weight {name!r} is big-endian: {array.dtype}")
    file.write(b"\0" * (-file.tell() % ALIGNMENT))
    offset = file.tell()
    file.write(array.tobytes(order="C"))
    return ParamSpec(name, tuple(map(int, array.shape)), str(array.dtype), offset, int(array.nbytes))
