"""Matching a job's DataInputConfig with the inputs that a model has."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from neo_magics.api.input_config import InputConfig, Shape, render
from neo_magics.errors import InputError

Declared = tuple[int | str, ...]


def by_name(config: InputConfig, names: Sequence[str], *, by_position: bool = False) -> dict[str, Shape]:
    """`config` as shapes by the model's input names.

    A list is taken in order. With `by_position`, names that the model does not have are taken in order too
    (Neo's PyTorch samples call the input "input0" whatever the model says).
    """
    if isinstance(config, list):
        _check_count(len(config), names)
        return dict(zip(names, config, strict=True))
    unknown = [name for name in config if name not in names]
    if by_position and unknown and len(config) == len(names):
        return dict(zip(names, config.values(), strict=True))
    if unknown:
        close = difflib.get_close_matches(unknown[0], names, 1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise InputError(
            f"DataInputConfig names the input {unknown[0]!r}, which the model does not have.{guess}",
            hint=f"The model's inputs are {_listed(names)}.",
            input=unknown[0],
        )
    missing = [name for name in names if name not in config]
    if missing:
        raise InputError(
            f"DataInputConfig does not name the model's input {missing[0]!r}.",
            hint=f"Give the shapes of {_listed(names)}.",
            input=missing[0],
        )
    return dict(config)


def check_shape(name: str, given: Shape, declared: Declared | None) -> None:
    """`InputError` where `given` is not a case of `declared`: it names the input, expected and got."""
    if declared is None:
        return
    agree = len(given) == len(declared) and all(
        isinstance(size, str) or size == number for size, number in zip(declared, given, strict=True)
    )
    if not agree:
        raise InputError(
            f"Input {name!r}: the model expects shape {shape_text(declared)}, DataInputConfig has "
            f"{shape_text(given)}.",
            hint="Correct DataInputConfig, or export the model with a free dimension there.",
            input=name,
        )


def shape_text(shape: Sequence[int | str | None]) -> str:
    """`[1, 3, 224, null]`; a free dimension by its name where it has one."""
    return "[" + ", ".join("null" if size is None else str(size) for size in shape) + "]"


def config_of(shapes: Mapping[str, Sequence[int | str | None]]) -> str:
    """DataInputConfig as JSON; names of free dimensions become null."""
    return render({n: tuple(s if isinstance(s, int) else None for s in shape) for n, shape in shapes.items()})


def _check_count(count: int, names: Sequence[str]) -> None:
    if count != len(names):
        raise InputError(
            f"DataInputConfig lists {count} shapes; the model has {len(names)} inputs: {_listed(names)}.",
            hint="Give one shape for each input, in this order.",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)
