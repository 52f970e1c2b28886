"""Free sizes of a JAX function's inputs, as jax.export has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neo_magics.api.input_config import Shape
from neo_magics.capture.inputs import Arrays
from neo_magics.errors import CaptureError

_BATCH = "batch"


def with_free_sizes(examples: Arrays, shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """What to trace with: the examples, abstract ones for inputs that have free sizes (None) in `shapes`.

    A free first size is the same for all inputs, any other one is of its own. Raises `CaptureError` where an
    example is not of the shape that was given for it.
    """
    import jax

    free = {name: shape for name, shape in shapes.items() if None in shape}
    for name, shape in free.items():
        own = examples[name].shape
        if len(own) != len(shape) or any(size not in (None, at) for size, at in zip(shape, own, strict=True)):
            raise CaptureError(
                f"The example for input {name!r} has shape {list(own)}, not {list(shape)} as was given.",
                hint="Give an example of that shape.",
            )
    written = [_written(k, shape) for k, shape in enumerate(free.values())]
    symbolic = jax.export.symbolic_args_specs([examples[name] for name in free], written)
    return {**examples, **dict(zip(free, symbolic, strict=True))}


def _written(number: int, shape: Shape) -> str:
    """A shape in jax.export's words."""
    names = (f"size{number}_{axis}" if axis else _BATCH for axis in range(len(shape)))
    return ",".join(name if size is None else str(size) for name, size in zip(names, shape, strict=True))


def resized(examples: Arrays, shapes: Mapping[str, Shape]) -> Arrays:
    """The examples with three more places along each free axis, which the first ones fill again."""
    grown = dict(examples)
    for name, shape in shapes.items():
        for axis in (axis for axis, size in enumerate(shape) if size is None):
            there = grown[name].shape[axis]
            grown[name] = np.take(grown[name], np.arange(there + 3) % there, axis)
    return grown
