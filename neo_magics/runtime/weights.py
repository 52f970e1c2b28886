"""The weights of an artifact: large ones on huge pages, others used where the file is mapped."""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neo_magics.artifact.manifest import ParamSpec
from neo_magics.errors import ArtifactError
from neo_magics.runtime.arrays import ALIGNMENT, Array, numpy_dtype, to_tensor

WORTH_HUGE_PAGES = 4 << 20  # bytes; below, few pages are needed anyway
_MOST_OF_MEMORY = 4  # a file's pages can be dropped when memory is short, copies cannot: at most a quarter
_HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_HINT = "Fetch the artifact again or compile the model again."


def map_weights(path: Path, params: Sequence[ParamSpec]) -> list[Any]:
    """TVM tensors on the file's pages, which are read as kernels touch them and shared between processes.

    Large weights are copied to huge pages instead, where the system has them: a matrix times one vector is
    about a tenth faster. Raises `ArtifactError` where the file and the manifest disagree.
    """
    if not params:
        return []
    size = path.stat().st_size
    check_layout(params, size)
    if not size:  # weights without elements; an empty file cannot be mapped
        return [to_tensor(np.empty(spec.shape, numpy_dtype(spec.dtype)), spec.dtype) for spec in params]
    with path.open("rb") as file:
        pages = _on_huge_pages(file, size) if _wants_huge_pages(size) else None
        if pages is None:
            # Copy-on-write: the pages count as writable, as DLPack wants, and the file never changes.
            pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return [to_tensor(_array(pages, spec), spec.dtype) for spec in params]


def _wants_huge_pages(size: int) -> bool:
    """Whether this system has huge pages on demand, and memory to spare."""
    if size < WORTH_HUGE_PAGES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return False
    try:
        offered = "[never]" not in _HUGE_PAGES.read_text(encoding="ascii")
    except OSError:
        return False
    return offered and size * _MOST_OF_MEMORY < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _on_huge_pages(file: Any, size: int) -> mmap.mmap | None:
    """The file's bytes in memory of our own; None where the file is shorter than it was."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    with memoryview(pages) as target:
        done = 0
        while done < size and (count := file.readinto(target[done:])):
            done += count
    return pages if done == size else None


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
