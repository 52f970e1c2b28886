"""A matrix that is repeated for each element of a batch, only to be multiplied by, is one matrix again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.views import STEPS, Factor, View, view_of


@tvm.transform.module_pass(opt_level=0, name="UnbroadcastWeights")
class UnbroadcastWeights:
    """matmul(x, w repeated over the batch) → matmul(x, w), which broadcasts by itself.

    PyTorch writes a linear layer so where its input is no dense tensor. Left alone, constants are folded to
    as many copies, and no rule for constant matrices matches. What repeats nothing goes too.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; the repetitions are left for DeadCodeElimination."""
        bindings = Bindings(module[calls.ENTRY])
        found = [call for _var, call in bindings.calls("relax.matmul")]
        matrices = {call: _matrix(bindings, call) for call in found}
        idle = [_repeats_nothing(call) for _var, call in bindings.calls("relax.broadcast_to")]
        if not any(idle) and not any(matrix is not None for matrix in matrices.values()):
            return module
        return calls.rewrite_entry(_Rewriter(module, matrices), module)


@mutator
class _Rewriter(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule, matrices: dict[Any, Any]) -> None:
        super().__init__(module)
        self.matrices = matrices

    def visit_call_(self, call: Any) -> Any:
        matrix = self.matrices.get(call)
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) == "relax.broadcast_to" and _repeats_nothing(self.builder_.normalize(call)):
            return call.args[0]
        if matrix is None:
            return call
        source, turned = matrix
        weight = self.visit_expr(source)
        if turned:
            weight = self.builder_.emit(relax.op.permute_dims(weight, [1, 0]))
        return relax.op.matmul(call.args[0], weight)


def _repeats_nothing(call: Any) -> bool:
    own, made = calls.shape_of(call.args[0]), calls.shape_of(call)
    return (
        own is not None
        and made is not None
        and len(own) == len(made)
        and all(map(calls.same_size, own, made))
    )


def _matrix(bindings: Bindings, call: Any) -> tuple[Any, bool] | None:
    """The matrix that the right operand repeats, and whether it is transposed first."""
    data, made = calls.shape_of(call.args[0]), calls.shape_of(call)
    if data is None or made is None or len(data) != len(made) or len(calls.shape_of(call.args[1]) or ()) < 3:
        return None
    if not all(map(calls.same_size, data[:-2], made[:-2])):
        return None
    for source in _steps(bindings, call.args[1]):
        shape = calls.static_shape(source)
        if shape is not None and len(shape) == 2 and min(shape) > 1:
            view = view_of(call.args[1], partial(_before, bindings, source))
            turned = None if view is None or not view.source.same_as(source) else _turned(view, shape)
            if turned is not None:
                return source, turned
    return None


def _steps(bindings: Bindings, value: Any) -> Iterator[Any]:
    """What `value` is a view of, the nearest first."""
    made = bindings.value(value)
    while calls.name_of(made) in STEPS:
        yield made.args[0]
        made = bindings.value(made.args[0])


def _before(bindings: Bindings, source: Any, value: Any) -> Any:
    return None if value.same_as(source) else bindings.value(value)


def _turned(view: View, shape: tuple[int, ...]) -> bool | None:
    """Whether the last two dimensions are columns and rows of `shape`; None where rows are not repeated."""
    if not _is_zero(view.offset) or not all(
        _is_zero(stride) for dim in view.dims[:-2] for _size, stride in dim
    ):
        return None
    return next((turned for turned in (False, True) if _lies(view.dims[-2:], shape, turned)), None)


def _is_zero(number: Any) -> bool:
    return isinstance(number, int) and number == 0


def _lies(dims: tuple[tuple[Factor, ...], ...], shape: tuple[int, ...], turned: bool) -> bool:
    """Whether the last two dimensions are the rows and columns of `shape`, or the other way round."""
    rows, columns = shape
    wanted = (((rows, columns),), ((columns, 1),))
    return dims == (wanted[::-1] if turned else wanted)
