"""Tensors whose free sizes only the run can tell to be equal: an image halved and doubled again, for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import relax
from tvm.sym import Analyzer

from neo_magics.compiler.kernels.sizes import is_one
from neo_magics.compiler.passes import calls


def equal_but(axis: int, shapes: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """`shapes` with one expression for each size but that of the axis: the shortest of all."""
    same = [list(shape) for shape in shapes]
    for place in range(len(same[0])):
        if place != axis % len(same[0]):
            size = min((shape[place] for shape in same), key=lambda each: len(str(each)))
            same = [[*shape[:place], size, *shape[place + 1 :]] for shape in same]
    return same


def found_equal(part: Any, shape: Sequence[Any], builder: Any) -> Any:
    """`part` with the sizes of `shape`. The run looks whether it has them, and fails where it has not."""
    own = calls.shape_of(part) or ()
    axes = [axis for axis, size in enumerate(own) if not calls.same_size(_number(size), _number(shape[axis]))]
    if not axes:
        return part
    apart = [Analyzer().simplify(own[axis] - shape[axis]) for axis in axes]
    builder.match_cast(relax.ShapeExpr([0] * len(axes)), relax.ShapeType(apart))
    ends = [shape[axis] for axis in axes]
    return builder.emit(relax.op.strided_slice(part, axes, [0] * len(axes), ends, assume_inbound=True))


def broadcast_equal(tensors: Sequence[Any], builder: Any) -> list[Any]:
    """`tensors` that are combined element by element, with equal sizes where none is known to be 1.

    A free size beside another, or beside a number, is taken for equal to it; the run fails where it is not.
    """
    rank = max(len(calls.shape_of(each) or ()) for each in tensors)
    shapes = [_ranked(each, rank) for each in tensors]
    wanted = [_common([shape[place] for shape in shapes]) for place in range(rank)]
    found = []
    for tensor, shape in zip(tensors, shapes, strict=True):
        own = calls.shape_of(tensor) or ()
        sizes = [size if is_one(size) else to for size, to in zip(shape, wanted, strict=True)]
        found.append(found_equal(tensor, sizes[rank - len(own) :], builder))
    return found


def _ranked(tensor: Any, rank: int) -> list[Any]:
    own = calls.shape_of(tensor) or ()
    return [1] * (rank - len(own)) + list(own)


def _common(sizes: Sequence[Any]) -> Any:
    """A number if there is one, else the shortest expression."""
    several = [size for size in sizes if not is_one(size)]
    return min(several, key=lambda each: (not isinstance(each, int), len(str(each))), default=1)


def _number(size: Any) -> Any:
    return int(size) if hasattr(size, "value") else size
