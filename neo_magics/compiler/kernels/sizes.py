"""Sizes of images: numbers, or expressions where they are only known when the model runs."""

from __future__ import annotations

from typing import Any

from tvm import tirx


def known(size: Any) -> int | None:
    """The number, None where it is only known later."""
    return int(size) if isinstance(size, int | tirx.IntImm) else None


def is_one(size: Any) -> bool:
    """Whether it is known, and 1."""
    return known(size) == 1


def ceil_div(size: Any, part: int) -> Any:
    """How many parts cover it."""
    number = known(size)
    if number is not None:
        return -(-number // part)
    return size if part == 1 else tirx.floordiv(size + (part - 1), part)


def reaches(size: Any, needed: Any) -> bool:
    """Whether `size` is known to be at least what is needed."""
    has, wants = known(size), known(needed)
    return has is not None and wants is not None and wants <= has
