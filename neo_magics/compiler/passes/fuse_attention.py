"""softmax(scale · q kᵀ + masks) v, however a model writes it, becomes one kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.kernels.attention import attention
from neo_magics.compiler.kernels.attention_form import Attention, Mask, Operand, free_sizes, unflatten
from neo_magics.compiler.kernels.attention_rows import attention_of_rows
from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.attention_parts import parts_of
from neo_magics.compiler.passes.attention_scores import LAYOUT, FoundMask, Scores, scalar, scores_of
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.result_order import result_order
from neo_magics.compiler.passes.views import STEPS, Factor, View, shape_read, view_of

LONGEST = 8192  # keys; beyond, the scores of a block of queries leave the cache


@tvm.transform.module_pass(opt_level=0, name="FuseAttention")
class FuseAttention:
    """matmul → scale → masks → softmax → matmul in float32, with known lengths, as kernels.attention.

    Queries, keys and values are read where they lie, through reshapes, transpositions and slices; the result
    is written in the order in which it is wanted. That kernel computes whole vectors of queries: fewer than
    half a vector are done by kernels.attention_rows, which also reads keys and values out of several parts.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; what was computed only for the fused part is left for DeadCodeElimination."""
        bindings = Bindings(module["main"])
        found = {bindings.value(match.result): match for match in attentions(bindings, self.machine)}
        return calls.rewrite_entry(_Fuser(module, found, self.machine), module) if found else module


@dataclass
class Match:
    """One attention: its operands in the kernel's order, and the variable its result stands for.

    Each operand comes with the shape in which it is read; `free` are the sizes that the kernel is told.
    `projected` are what queries, keys and values are read from, before any concatenation is taken apart.
    """

    kernel: Attention
    build: Callable[[Machine], tirx.PrimFunc]
    reads: list[tuple[Any, tuple[Any, ...]]]
    free: list[tirx.Var]
    projected: list[Any]
    result: Any


def attentions(bindings: Bindings, machine: Machine) -> list[Match]:
    """Every attention that FuseAttention makes a kernel of."""
    matches = (_match(bindings, var, value, machine) for var, value in bindings.calls("relax.matmul"))
    return [match for match in matches if match is not None]


@mutator
class _Fuser(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, found: dict[Any, Match], machine: Machine) -> None:
        super().__init__(module)
        self.found = found
        self.machine = machine

    def visit_call_(self, call: Any) -> Any:
        match = self.found.get(call)
        if match is None:
            return self.visit_expr_post_order(call)
        kernel = self.builder_.add_func(match.build(self.machine), "attention")
        sources = [self._read_as(operand, shape) for operand, shape in match.reads]
        result = relax.TensorType(match.kernel.out.shape, "float32")
        made = self.builder_.emit(relax.call_tir(kernel, [*sources, *match.free], result))
        shape = calls.shape_of(call)
        assert shape is not None
        return relax.op.reshape(made, list(shape))

    def _read_as(self, operand: Any, shape: Sequence[Any]) -> Any:
        """A kernel's operand, in the shape in which the kernel reads it."""
        value, own = self.visit_expr(operand), calls.shape_of(operand)
        if own is not None and len(own) == len(shape):
            return value
        return self.builder_.emit(relax.op.reshape(value, list(shape)))


def _match(bindings: Bindings, var: Any, call: Any, machine: Machine) -> Match | None:
    """The attention whose product with the values is `call`."""
    scores = scores_of(bindings, call.args[0])
    if scores is None or calls.dtype_of(call) != "float32":
        return None
    q, q_scale = _scaled_view(bindings, scores.product.args[0])
    k, k_scale = _scaled_view(bindings, scores.product.args[1])
    v, v_scale = _scaled_view(bindings, call.args[1])
    sizes = _sizes(scores.product, call)
    if q is None or k is None or v is None or sizes is None or v_scale != 1.0:
        return None
    queries, keys = sizes[:2]
    few = isinstance(queries, int) and 2 * queries < machine.lanes
    if isinstance(keys, int) and keys > LONGEST:
        return None
    masks = [_mask_view(bindings, mask) for mask in scores.masks]
    known = [mask for mask in masks if mask is not None]
    if len(known) < len(masks):
        return None
    k = k.permuted([*range(len(k.dims) - 2), len(k.dims) - 1, len(k.dims) - 2])
    scores.scale *= q_scale * k_scale
    return _placed_match(bindings, var, scores, sizes, [q, k, v, *known], few=few)


def _sizes(product: Any, call: Any) -> tuple[Any, Any, int, int] | None:
    """Queries and keys, which may be free, depth and width, which are known."""
    shapes = [calls.shape_of(value) for value in (product, product.args[0], call)]
    if any(shape is None for shape in shapes):
        return None
    (*_, queries, keys), (*_, depth), (*_, width) = (shape or () for shape in shapes)
    if not all(isinstance(size, int) and size > 0 for size in (depth, width)):
        return None
    if any(isinstance(size, int) and size <= 0 for size in (queries, keys)):
        return None
    return queries, keys, depth, width


def _placed_match(
    bindings: Bindings,
    var: Any,
    scores: Scores,
    sizes: tuple[Any, Any, int, int],
    views: list[View],
    *,
    few: bool,
) -> Match | None:
    queries, keys, depth, width = sizes
    groups = _groups([_lead(view) for view in views])
    if groups is None or not all(isinstance(size, int) for size, _stride in groups[0][1:]):
        return None
    extents = tuple(size for size, _stride in groups[0])
    strides = [[stride for _size, stride in group] for group in groups]
    found = [_operand(view, own) for view, own in zip(views, strides, strict=True)]
    operands = [operand for operand in found if operand is not None]
    values = views[2].dims[-1]
    if len(operands) < len(found) or (values and not _is_row(values)):
        return None
    result, shape, order = result_order(bindings, var, [*extents, queries, width])
    masks = tuple(
        Mask(operand, mask.fill, mask.kept, per_key=not _moves(view.dims[-2]))
        for operand, view, mask in zip(operands[3:], views[3:], scores.masks, strict=True)
    )
    q, k, v = operands[:3]
    out = _placed(shape, order)
    kernel = Attention(extents, queries, keys, depth, width, scores.scale, q, k, v, masks, out, scores.safe)
    sources = [view.source for view in views]
    shapes = [operand.shape for operand in operands]
    free = free_sizes(kernel)
    if not few:
        reads = list(zip(sources, shapes, strict=True))
        return Match(kernel, partial(attention, kernel, free=free), reads, free, sources[:3], result)
    if not _is_row(views[1].dims[-1]) and depth > 1:
        return None
    stored = parts_of(bindings, kernel, views[1], views[2])
    build = partial(attention_of_rows, kernel, stored.parts, free=free)
    rows = [(source, part.k.shape) for source, part in zip(stored.keys, stored.parts, strict=True)]
    rows += [(source, part.v.shape) for source, part in zip(stored.values, stored.parts, strict=True)]
    reads = [(sources[0], q.shape), *rows, *zip(sources[3:], shapes[3:], strict=True)]
    return Match(kernel, build, reads, free, sources[:3], result)


def _scaled_view(bindings: Bindings, value: Any) -> tuple[View | None, float]:
    """`value` as a view of something times a number."""
    scale = 1.0
    steps: list[Any] = []
    while True:
        call = bindings.value(value)
        name = calls.name_of(call)
        factor = scalar(bindings, call.args[1]) if name in ("relax.multiply", "relax.divide") else None
        if factor:
            scale *= factor if name == "relax.multiply" else 1 / factor
        elif name not in (*LAYOUT, "relax.permute_dims"):
            break
        steps.append(call)
        value = call.args[0]
    view = view_of(value, bindings.value)
    for call in reversed(steps):
        step = STEPS.get(calls.name_of(call))
        if view is not None and step is not None:
            view = step(view, call)
    return view, scale


def _mask_view(bindings: Bindings, mask: FoundMask) -> View | None:
    """The mask, broadcast against the scores."""
    view, own = view_of(mask.value, bindings.value), calls.shape_of(mask.value)
    if view is None or own is None or mask.shape is None:
        return None
    known = calls.dtype_of(mask.value) in ("float32", "bool")
    return view.broadcast(own, mask.shape) if known and len(own) <= len(mask.shape) else None


def _lead(view: View) -> list[Factor]:
    return [factor for dim in view.dims[:-2] for factor in dim]


def _groups(leads: Sequence[list[Factor]]) -> list[list[Factor]] | None:
    """The factors of batch and heads of each operand, over the same extents: those of the finest one."""
    finest = max(leads, key=len)
    extents = [size for size, _stride in finest]
    groups: list[list[Factor]] = []
    for lead in leads:
        view = View(None, ()).regrouped(lead, extents) if extents else View(None, ())
        if view is None or any(len(dim) != 1 for dim in view.dims):
            return None
        groups.append([dim[0] for dim in view.dims])
    return groups


def _operand(view: View, strides: list[Any]) -> Operand | None:
    """How the kernel reads element (group, row, column) of a view: an index of its source's dimensions."""
    shape = calls.shape_of(view.source)
    if shape is None or any(len(dim) > 1 for dim in view.dims[-2:]):
        return None
    row, column = (dim[0][1] if dim else 0 for dim in view.dims[-2:])
    read_as = shape_read(shape)

    def place(group: Sequence[Any], i: Any, j: Any) -> list[Any]:
        flat = view.offset + i * row + j * column
        for index, stride in zip(group, strides, strict=True):
            flat = flat + index * stride
        return unflatten(flat, read_as)

    return Operand(read_as, calls.dtype_of(view.source), place)


def _is_row(dim: tuple[Factor, ...]) -> bool:
    return len(dim) == 1 and isinstance(dim[0][1], int) and dim[0][1] == 1


def _moves(dim: tuple[Factor, ...]) -> bool:
    return any(not isinstance(stride, int) or stride for _size, stride in dim)


def _placed(shape: tuple[Any, ...], order: list[int]) -> Operand:
    """The result: dimensions (group…, row, column) in the order in which memory has them."""

    def place(group: Sequence[Any], i: Any, j: Any) -> list[Any]:
        canonical = [*group, i, j]
        return [canonical[label] for label in order]

    return Operand(shape, "float32", place)
