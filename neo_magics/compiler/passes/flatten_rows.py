"""Values whose last dimension stands alone are computed as matrices: no reshape parts a kernel.

Front ends write a linear layer as reshape → matmul → add → reshape → activation. A reshape costs nothing, but
it keeps the operators around it from becoming one kernel. So each reshape that only splits or joins leading
dimensions is moved behind the operators that work row by row; what nobody reads then is dead code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls

_UNARY = frozenset(f"relax.{name}" for name in calls.UNARY)
_BINARY = frozenset(f"relax.{name}" for name in calls.BINARY)
_NORMS = frozenset(("relax.nn.layer_norm", "relax.nn.rms_norm"))
_SOFTMAX = frozenset(("relax.nn.softmax", "relax.nn.log_softmax"))


@tvm.transform.module_pass(opt_level=0, name="FlattenRows")
class FlattenRows:
    """f(reshape(x, […, C])) becomes reshape(f(x)) where x is [M, C] and f works on rows or elements."""

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`; values that are read no more are left for DeadCodeElimination."""
        return calls.rewrite_entry(_Flattener(module), module)


@mutator
class _Flattener(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._matrices: dict[Any, Any] = {}  # a value → its form as a matrix

    def visit_call_(self, call: Any) -> Any:
        call = self.builder_.normalize(self.visit_expr_post_order(call))
        name = calls.name_of(call)
        rewrite = self._rewrites().get(name)
        made = rewrite(call) if rewrite else None
        return call if made is None else made

    def _rewrites(self) -> dict[str, Callable[[Any], Any]]:
        return {
            "relax.reshape": self._reshape,
            **dict.fromkeys(_UNARY, self._unary),
            **dict.fromkeys(_BINARY, self._binary),
            **dict.fromkeys(_NORMS, self._norm),
            **dict.fromkeys(_SOFTMAX, self._softmax),
        }

    def matrix(self, value: Any) -> Any | None:
        """The [M, C] form of a rebuilt value, else None."""
        while isinstance(value, relax.Var):
            if value in self._matrices:
                return self._matrices[value]
            value = self.lookup_binding(value)
        return None

    def _reshape(self, call: Any) -> Any | None:
        """A reshape of a matrix that keeps the last dimension; or one that undoes it."""
        data = call.args[0]
        matrix = self.matrix(data)
        matrix = data if matrix is None and data.ty.ndim == 2 else matrix
        shape, target = calls.shape_of(call), calls.shape_of(matrix) if matrix is not None else None
        if (
            matrix is None
            or shape is None
            or target is None
            or not shape
            or not calls.same_size(shape[-1], target[-1])
        ):
            return None
        if len(shape) == 2:  # as many elements, as many columns: the same matrix
            return matrix
        return self._keep(matrix, shape)

    def _keep(self, matrix: Any, shape: tuple[Any, ...]) -> Any:
        """The value of `shape` that stands for `matrix` in the graph."""
        if not isinstance(matrix, relax.Var):
            matrix = self.builder_.emit(matrix)
        twin = self.builder_.emit(relax.op.reshape(matrix, list(shape)))
        self._matrices[twin] = matrix
        return twin

    def _unary(self, call: Any) -> Any | None:
        matrix = self.matrix(call.args[0])
        if matrix is None:
            return None
        return self._made(call, tvm.ir.Call(call.op, [matrix, *call.args[1:]], call.attrs))

    def _binary(self, call: Any) -> Any | None:
        shape = calls.shape_of(call)
        if shape is None:
            return None
        # A matrix that is itself broadcast has not the rows of the result.
        whole = [value for value in call.args if calls.has_shape(value, shape)]
        found = next((m for m in map(self.matrix, whole) if m is not None), None)
        if found is None:
            return None
        operands = [self._operand(operand, shape, found) for operand in call.args]
        if any(value is None for value in operands):
            return None
        return self._made(call, tvm.ir.Call(call.op, operands, call.attrs))

    def _operand(self, value: Any, shape: tuple[Any, ...], like: Any) -> Any | None:
        """`value`, broadcast against `shape`, so that it broadcasts against the matrix `like`."""
        own = calls.shape_of(value)
        if own is None:
            return None
        if calls.has_shape(value, shape):
            matrix, sizes = self.matrix(value), calls.shape_of(like)
            if matrix is not None or sizes is None:
                return matrix
            return self.builder_.emit(relax.op.reshape(value, list(sizes)))
        if not all(isinstance(size, int) and size == 1 for size in own[:-1]):
            return None
        row = own[-1:]  # one row for all
        constant = calls.constant(value)
        if constant is not None:
            return calls.make_constant(constant.reshape(row))
        return value if len(own) <= 1 else self.builder_.emit(relax.op.reshape(value, list(row)))

    def _norm(self, call: Any) -> Any | None:
        matrix = self.matrix(call.args[0])
        if matrix is None or [axis % call.ty.ndim for axis in calls.numbers(call.attrs.axes)] != [
            call.ty.ndim - 1
        ]:
            return None
        operands = [matrix, *call.args[1:]]
        operators = {"layer_norm": relax.op.nn.layer_norm, "rms_norm": relax.op.nn.rms_norm}
        attrs = {"axes": [-1], "epsilon": float(call.attrs.epsilon)}
        if calls.name_of(call).endswith("layer_norm"):
            attrs.update(center=bool(call.attrs.center), scale=bool(call.attrs.scale))
        return self._made(call, operators[calls.name_of(call).rpartition(".")[2]](*operands, **attrs))

    def _softmax(self, call: Any) -> Any | None:
        matrix = self.matrix(call.args[0])
        if matrix is None or int(call.attrs.axis) % call.ty.ndim != call.ty.ndim - 1:
            return None
        operators = {"softmax": relax.op.nn.softmax, "log_softmax": relax.op.nn.log_softmax}
        return self._made(call, operators[calls.name_of(call).rpartition(".")[2]](matrix, axis=-1))

    def _made(self, call: Any, matrix: Any) -> Any:
        shape = calls.shape_of(call)
        assert shape is not None  # the operand's is known
        return self._keep(matrix, shape)
