"""Neo's shape conventions: Keras models are described in NCHW though they take NHWC."""

from __future__ import annotations

from collections.abc import Sequence

from neo_magics.api.input_config import Shape

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


def _fits(given: Shape, declared: Declared) -> bool:
    pairs = list(zip(given, declared, strict=False))
    return len(given) == len(declared) and all(
        not isinstance(d, int) or g is None or g == d for g, d in pairs
    )
