"""Neo's shape conventions: Keras models are described in NCHW though they take NHWC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from neo_magics.api.input_config import Shape
from neo_magics.capture.inputs import Arrays
from neo_magics.capture.request import CaptureRequest, TensorInfo
from neo_magics.errors import CaptureError

Declared = Sequence[int | str | None]


def in_model_order(given: Shape, declared: Declared) -> Shape | None:
    """`given` as the model takes it: as it is where it fits, channels moved last where only that fits.

    None where neither does.
    """
    if _fits(given, declared):
        return tuple(given)
    if len(given) >= 3:
        moved = (given[0], *given[2:], given[1])
        if _fits(moved, declared):
            return moved
    return None


def captured_shapes(
    specs: Sequence[TensorInfo], examples: Arrays, request: CaptureRequest, free: int | None = None
) -> dict[str, Shape]:
    """Each input's shape: as given, else the example's, else the model's own, `free` where that is open.

    Raises `CaptureError` for a shape that the model does not take.
    """
    given = request.shapes([spec.name for spec in specs])
    return {spec.name: _captured(spec, given.get(spec.name), examples.get(spec.name), free) for spec in specs}


def _captured(spec: TensorInfo, given: Shape | None, array: Any, free: int | None) -> Shape:
    example = None if array is None else tuple(array.shape)
    for sizes in (given, example):
        if sizes is not None and in_model_order(sizes, spec.shape) is None:
            raise CaptureError(
                f"Input {spec.name!r} of the model has shape {list(spec.shape)}, got {list(sizes)}.",
                hint="Give an example and shapes that fit the model.",
            )
    declared = tuple(size if isinstance(size, int) else free for size in spec.shape)
    return (given and in_model_order(given, spec.shape)) or example or declared


def _fits(given: Shape, declared: Declared) -> bool:
    pairs = list(zip(given, declared, strict=False))
    return len(given) == len(declared) and all(
        not isinstance(d, int) or g is None or g == d for g, d in pairs
    )
