"""How a value lies in the memory of another: transpositions, reshapes and slices as strides.

Each dimension of a view is a list of factors (extent, stride), outermost first, so that a dimension that was
joined from two (batch × heads) keeps the strides of both. The idea is CuTe's (NVIDIA CUTLASS).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import relax, tirx

from neo_magics.compiler.passes import calls

Size = Any  # an int, or an expression for a free dimension
Factor = tuple[Size, Any]  # the stride is an expression where a free dimension lies within
Lookup = Callable[[Any], Any]  # variable → what it is bound to, or None


@dataclass(frozen=True)
class View:
    """`source` read with an offset and, for each dimension, factors of (extent, stride)."""

    source: Any
    dims: tuple[tuple[Factor, ...], ...]
    offset: Any = 0

    def permuted(self, axes: Sequence[int]) -> View:
        """Dimensions in another order."""
        return View(self.source, tuple(self.dims[axis] for axis in axes), self.offset)

    def reshaped(self, shape: Sequence[Size]) -> View | None:
        """The same elements in the same order under `shape`, where factors can be parted so; else None."""
        factors = [factor for dim in self.dims for factor in dim]
        return self.regrouped(factors, shape)

    def regrouped(self, factors: Sequence[Factor], shape: Sequence[Size]) -> View | None:
        """`factors`, outermost first, distributed over the dimensions of `shape`."""
        left = [factor for factor in factors if not _is(factor[0], 1)]
        dims: list[tuple[Factor, ...]] = []
        for number, size in reversed(list(enumerate(shape))):
            taken = _take_all(left) if number == 0 else _take(left, size)
            if taken is None:
                return None
            dims.insert(0, tuple(taken))
        return None if left else View(self.source, tuple(dims), self.offset)

    def broadcast(self, own: Sequence[Size], shape: Sequence[Size]) -> View | None:
        """Dimensions of one repeated: stride 0."""
        dims = ((),) * (len(shape) - len(own)) + self.dims
        sizes = (1,) * (len(shape) - len(own)) + tuple(own)
        repeated = []
        for dim, size, wanted in zip(dims, sizes, shape, strict=True):
            if calls.same_size(size, wanted):
                repeated.append(dim)
            elif _is(size, 1):
                repeated.append(((wanted, 0),))
            else:
                return None
        return View(self.source, tuple(repeated), self.offset)


def whole(source: Any) -> View | None:
    """The view of a tensor as it is."""
    shape = calls.shape_of(source)
    if shape is None:
        return None
    strides: list[Any] = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, size if _is(strides[0], 1) else strides[0] * size)
    dims = [((size, stride),) for size, stride in zip(shape, strides, strict=False)]
    return View(source, tuple(() if _is(dim[0][0], 1) else dim for dim in dims))


def shape_read(shape: Sequence[Size]) -> tuple[Size, ...]:
    """In which shape a kernel reads a tensor: as one row of numbers where a dimension within is free.

    So no kernel divides by a free size, and the first dimension is a number or a name.
    """
    known = all(isinstance(size, int) for size in shape[1:])
    return tuple(shape) if known and isinstance(shape[0], int | tirx.Var) else (calls.product(shape),)


def view_of(value: Any, lookup: Lookup) -> View | None:
    """`value` as a view of the value that computes its elements, as far back as that goes."""
    bound = lookup(value) if isinstance(value, relax.Var) else value
    if isinstance(bound, relax.Var):
        return whole(value) if bound.same_as(value) else view_of(bound, lookup)
    if isinstance(bound, relax.TupleGetItem):
        return _part_of(bound, lookup) or whole(value)
    step = STEPS.get(calls.name_of(bound))
    if step is not None:
        inner = view_of(bound.args[0], lookup)
        result = None if inner is None else step(inner, bound)
        if result is not None:
            return result
    return whole(value)


def _part_of(item: Any, lookup: Lookup) -> View | None:
    split: Any = lookup(item.tuple_value) if isinstance(item.tuple_value, relax.Var) else item.tuple_value
    inner = view_of(split.args[0], lookup) if calls.name_of(split) == "relax.split" else None
    return None if inner is None else part(inner, split, int(item.index))


def _reshape(view: View, call: Any) -> View | None:
    shape = calls.shape_of(call)
    return None if shape is None else view.reshaped(shape)


def _permute(view: View, call: Any) -> View | None:
    axes = call.attrs.axes
    rank = len(view.dims)
    order = range(rank - 1, -1, -1) if axes is None else [axis % rank for axis in calls.numbers(axes)]
    return view.permuted(list(order))


def _broadcast(view: View, call: Any) -> View | None:
    own, shape = calls.shape_of(call.args[0]), calls.shape_of(call)
    return None if own is None or shape is None else view.broadcast(own, shape)


def _take_one(view: View, call: Any) -> View | None:
    """take(x, a constant number, axis): one slice."""
    index = calls.constant(call.args[1])
    shape = calls.shape_of(call.args[0])
    if index is None or index.shape != () or shape is None or call.attrs.axis is None:
        return None
    axis = int(call.attrs.axis) % len(shape)
    return _cut(view, axis, int(index) % shape[axis], None) if isinstance(shape[axis], int) else None


def _cut(view: View, axis: int, begin: int, size: int | None, step: int = 1) -> View | None:
    """From `begin`, `size` elements of a dimension, each `step`th; None: one, and the dimension goes."""
    dim = view.dims[axis]
    if len(dim) > 1:
        return None
    stride = dim[0][1] if dim else 0
    middle = () if size is None else (((size, stride * step),) if size > 1 else (),)
    dims = (*view.dims[:axis], *middle, *view.dims[axis + 1 :])
    return View(view.source, dims, view.offset + begin * stride)


def _slice(view: View, call: Any) -> View | None:
    """strided_slice with constant bounds, forward, of known dimensions."""
    fields = [calls.integers(operand) for operand in call.args[1:5]]
    shape, made = calls.shape_of(call.args[0]), calls.shape_of(call)
    if any(field is None for field in fields) or shape is None or made is None:
        return None
    axes, begins, _ends, *steps = (field or [] for field in fields)
    sliced: View | None = view
    for number, begin, step in zip(axes, begins, steps[0] if steps else [1] * len(axes), strict=True):
        axis = number % len(shape)
        size = shape[axis]
        if sliced is None or step < 1 or not isinstance(size, int) or not isinstance(made[axis], int):
            return None
        first = max(begin + size, 0) if begin < 0 else min(begin, size)
        sliced = _cut(sliced, axis, first, made[axis], step)
    return sliced


def part(view: View, call: Any, index: int) -> View | None:
    """Part `index` of relax.split."""
    shape = calls.shape_of(call.args[0])
    parts = call.attrs.indices_or_sections
    axis = int(call.attrs.axis) % len(view.dims)
    if shape is None or not isinstance(shape[axis], int):
        return None
    size = shape[axis]
    if hasattr(parts, "__len__"):
        edges = [0, *calls.numbers(parts), size]
    else:
        step = -(-size // int(parts))
        edges = [*range(0, size, step), size]
    return _cut(view, axis, edges[index], edges[index + 1] - edges[index])


STEPS: dict[str, Callable[[View, Any], View | None]] = {
    "relax.reshape": _reshape,
    "relax.expand_dims": _reshape,
    "relax.squeeze": _reshape,
    "relax.flatten": _reshape,
    "relax.permute_dims": _permute,
    "relax.broadcast_to": _broadcast,
    "relax.take": _take_one,
    "relax.strided_slice": _slice,
}


def _take(left: list[Factor], size: Size) -> list[Factor] | None:
    """Factors from the end of `left` whose extents make `size`; the last one is parted where it must be."""
    taken: list[Factor] = []
    if not isinstance(size, int):  # a free dimension is never parted
        return [left.pop()] if left and calls.same_size(left[-1][0], size) else None
    while size > 1:
        if not left or not isinstance(left[-1][0], int):
            return None
        extent, stride = left.pop()
        if size % extent == 0:
            taken.insert(0, (extent, stride))
            size //= extent
        elif extent % size == 0:
            left.append((extent // size, stride * size))
            taken.insert(0, (size, stride))
            size = 1
        else:
            return None
    return taken


def _take_all(left: list[Factor]) -> list[Factor]:
    taken = list(left)
    left.clear()
    return taken


def _is(size: Size, number: int) -> bool:
    return isinstance(size, int) and size == number
