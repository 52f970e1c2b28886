"""The weights of an artifact, mapped into memory and used in place."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.artifact.manifest import ParamSpec
from neo_magics.errors import ArtifactError
from neo_magics.runtime.arrays import ALIGNMENT, Array, numpy_dtype, to_tensor

_HINT = "Fetch the artifact again or compile the model again."


def map_weights(path: Path, params: Sequence[ParamSpec]) -> list[Any]:
    """TVM tensors on the file's pages, which are read as kernels touch them and shared between processes.

    Raises `ArtifactError` where the file and the manifest disagree.
    """
    if not params:
        return []
    check_layout(params, path.stat().st_size)
    with path.open("rb") as file:
        # Copy-on-write: the pages count as writable, as DLPack wants, and the file never changes.
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return [to_tensor(_array(pages, spec), spec.dtype) for spec in params]


def check_layout(params: Iterable[ParamSpec], size: int) -> None:
    """Raise `ArtifactError` unless every weight lies aligned within a file of `size` bytes."""
    for spec in params:
        if spec.offset % ALIGNMENT or spec.offset + spec.nbytes > size:
            raise ArtifactError(
                f"The weight {spec.name!r} is said to lie at {spec.offset} + {spec.nbytes} bytes, "
                f"which does not fit a weights file of {size} bytes.",
                hint=_HINT,
            )
        expected = math.prod(spec.shape) * numpy_dtype(spec.dtype).itemsize
        if expected != spec.nbytes:
            raise ArtifactError(
                f"The weight {spec.name!r} of shape {list(spec.shape)} and dtype {spec.dtype} takes "
                f"{expected} bytes, and the manifest says {spec.nbytes}.",
                hint=_HINT,
            )


def _array(pages: mmap.mmap, spec: ParamSpec) -> Array:
    count = math.prod(spec.shape)
    if count == 0:
        return np.empty(spec.shape, numpy_dtype(spec.dtype))
    return np.frombuffer(pages, numpy_dtype(spec.dtype), count, spec.offset).reshape(spec.shape)
