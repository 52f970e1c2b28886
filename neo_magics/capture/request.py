"""What the user said beside the model, and the file formats that say what a model's tensors are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neo_magics.api.input_config import Shape
from neo_magics.errors import CaptureError

Shapes = dict[str, Shape]


@dataclass(frozen=True)
class TensorInfo:
    """An input or output of a source model. `dtype` is NumPy's name; a free dimension is a name."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class CaptureRequest:
    """The arguments of `capture` that every framework's file reads.

    `inputs` are example inputs as given; `input_shape` is by name, or a list in the order of the inputs;
    `portable` asks for the file that SageMaker itself takes.
    """

    inputs: Any = None
    input_shape: Shapes | list[Shape] | None = None
    portable: bool = False
    trust_pickle: bool = False

    def shapes(self, names: Sequence[str]) -> Shapes:
        """`input_shape` by name; a list is matched with `names` in order."""
        if self.input_shape is None:
            return {}
        if isinstance(self.input_shape, list):
            return dict(zip(_enough(names, self.input_shape), self.input_shape, strict=False))
        unknown = [name for name in self.input_shape if name not in names]
        if unknown and len(self.input_shape) != len(names):
            raise CaptureError(
                f"The model has no input named {_quoted(unknown)}. Its inputs: {_quoted(names)}.",
                hint="Use these names in the input shapes.",
            )
        if unknown:  # Neo's samples say "input0" whatever forward's parameter is called.
            return dict(zip(names, self.input_shape.values(), strict=True))
        return dict(self.input_shape)


def _enough(names: Sequence[str], shapes: Sequence[Any]) -> Sequence[str]:
    if len(shapes) > len(names):
        raise CaptureError(
            f"{len(shapes)} input shapes were given; the model has {len(names)} inputs: {_quoted(names)}.",
            hint="Give one shape for each input, in this order.",
        )
    return names


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
