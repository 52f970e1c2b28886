"""What to measure with: the caller's inputs, the captured examples, or generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.manifest import TensorSpec

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array

GIVEN, CAPTURED, GENERATED = "given", "captured", "generated"


def choose_inputs(
    x: Any, specs: Sequence[TensorSpec], source: Path | None = None
) -> tuple[dict[str, Array], str]:
    """Arrays by name for a model with inputs `specs`, and where they came from.

    `x`: an array, tensor, tuple or mapping by name; None: the examples captured in the archive that is
    unpacked at `source`, else generated ones. Raises `CaptureError` for wrong names and for what is no array.
    """
    from neo_magics.capture.archive import read_example_inputs
    from neo_magics.capture.inputs import bind_inputs

    names = [spec.name for spec in specs]
    if x is not None:
        return bind_inputs(x, names, names), GIVEN
    captured = read_example_inputs(source) if source else {}
    if set(captured) == set(names):
        return {name: captured[name] for name in names}, CAPTURED
    return {spec.name: generated(spec) for spec in specs}, GENERATED


def generated(spec: TensorSpec, free: int = 1) -> Array:
    """Always the same numbers: normal for floats, zeros for others; free dimensions have size `free`."""
    import numpy as np

    from neo_magics.runtime.arrays import numpy_dtype

    dtype = numpy_dtype(spec.dtype)
    shape = tuple(size if isinstance(size, int) else free for size in spec.shape)
    if dtype.kind not in "fV":
        return np.zeros(shape, dtype)
    seed = [len(shape), *spec.name.encode()]
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
