"""A matrix that is repeated for each element of a batch, only to be multiplied by, is one matrix again."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings
from neo_magics.compiler.passes.views import Factor, view_of


@tvm.transform.module_pass(opt_level=0, name="UnbroadcastWeights")
class UnbroadcastWeights:
    """matmul(x, w repeated over the batch) → matmul(x, w), which broadcasts by itself.

    PyTorch writes a linear layer so where its input is no dense tensor. Left alone, constants are folded to
    as many copies, and no rule for constant matrices matches.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; the repetitions are left for DeadCodeElimination."""
        bindings = Bindings(module[calls.ENTRY])
        found = [call for _var, call in bindings.calls("relax.matmul")]
        matrices = {call: _matrix(bindings, call) for call in found}
        if not any(matrix is not None for matrix in matrices.values()):
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
        if matrix is None:
            return call
        source, turned = matrix
        weight = self.visit_expr(source)
        if turned:
            weight = self.builder_.emit(relax.op.permute_dims(weight, [1, 0]))
        return relax.op.matmul(call.args[0], weight)


def _matrix(bindings: Bindings, call: Any) -> tuple[Any, bool] | None:
    """The matrix that the right operand repeats, and whether it is transposed first."""
    data, made = calls.shape_of(call.args[0]), calls.shape_of(call)
    view = view_of(call.args[1], bindings.value)
    if view is None or data is None or made is None or len(view.dims) < 3 or len(data) != len(made):
        return None
    shape = calls.static_shape(view.source)
    if shape is None or len(shape) != 2 or min(shape) < 2 or not _is_zero(view.offset):
        return None
    repeated = all(_is_zero(stride) for dim in view.dims[:-2] for _size, stride in dim)
    if not repeated or not all(map(calls.same_size, data[:-2], made[:-2])):
        return None
    return next(
        ((view.source, turned) for turned in (False, True) if _lies(view.dims[-2:], shape, turned)), None
    )


def _is_zero(number: Any) -> bool:
    return isinstance(number, int) and number == 0


def _lies(dims: tuple[tuple[Factor, ...], ...], shape: tuple[int, ...], turned: bool) -> bool:
    """Whether the last two dimensions are the rows and columns of `shape`, or the other way round."""
    rows, columns = shape
    wanted = (((rows, columns),), ((columns, 1),))
    return dims == (wanted[::-1] if turned else wanted)
