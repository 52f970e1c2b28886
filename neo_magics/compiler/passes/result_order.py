"""In which order a result is wanted: what follows it only transposes and reshapes it."""

from __future__ import annotations

from typing import Any

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.views import Factor, View


def result_order(bindings: Bindings, var: Any, sizes: list[Any]) -> tuple[Any, tuple[Any, ...], list[int]]:
    """The last variable that is only another order of the result, and how its elements lie.

    The order names, for each dimension of the memory, the dimension of (group…, row, column).
    """
    last = len(sizes) - 1
    best, shape, order = var, tuple(sizes), list(range(len(sizes)))
    named = View(None, tuple(((size, 1 + number),) for number, size in enumerate(sizes)))
    view = _relabelled(named, calls.shape_of(var))
    while view is not None:
        user = bindings.sole_user(var)
        view = None if user is None else _followed(view, bindings.value(user))
        if view is None:
            break
        var = user
        labels = [stride - 1 for dim in view.dims for _size, stride in dim]
        ones = [label for label in range(len(sizes)) if label not in labels]
        if last in ones or labels[-1] == last:
            order = [*labels, *ones] if last in ones else [*ones, *labels]
            best, shape = var, tuple(sizes[label] for label in order)
    return best, shape, order


def _followed(view: View, call: Any) -> View | None:
    if calls.name_of(call) == "relax.reshape":
        return _relabelled(view, calls.shape_of(call))
    if calls.name_of(call) != "relax.permute_dims":
        return None
    axes, rank = call.attrs.axes, len(view.dims)
    return view.permuted(list(range(rank))[::-1] if axes is None else calls.numbers(axes))


def _relabelled(view: View, shape: Any) -> View | None:
    """A reshape that only joins or parts whole factors; their strides are names here."""
    if shape is None:
        return None
    left = [factor for dim in view.dims for factor in dim if not _one(factor[0])]
    dims: list[tuple[Factor, ...]] = []
    for number, extent in reversed(list(enumerate(shape))):
        size = extent
        taken: list[Factor] = []
        if number == 0:
            taken, left = list(left), []
        elif not isinstance(size, int):
            if not left or not calls.same_size(left[-1][0], size):
                return None
            taken.insert(0, left.pop())
        else:
            while size > 1:
                if not left or not isinstance(left[-1][0], int) or size % left[-1][0]:
                    return None
                size //= left[-1][0]
                taken.insert(0, left.pop())
        dims.insert(0, tuple(taken))
    return None if left else View(None, tuple(dims))


def _one(size: Any) -> bool:
    return isinstance(size, int) and size == 1
