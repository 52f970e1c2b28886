"""Arithmetic on weights is done now, with NumPy.

TVM's own FoldConstant compiles each expression apart, seconds for a network; NumPy takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array

# A constant may grow (broadcast) up to this many elements; beyond, it is computed where it is used.
GROWTH_LIMIT = 1 << 20

Evaluate = Callable[[Any, Sequence[Array]], Array]


def _elementwise(function: Callable[..., Array]) -> Evaluate:
    return lambda _call, arrays: function(*arrays)


def _reshaped(call: Any, arrays: Sequence[Array]) -> Array:
    shape = calls.static_shape(call)
    assert shape is not None  # checked by the pass before it evaluates
    return arrays[0].reshape(shape)


def _broadcast(call: Any, arrays: Sequence[Array]) -> Array:
    shape = calls.static_shape(call)
    assert shape is not None
    return np.broadcast_to(arrays[0], shape)


def _permuted(call: Any, arrays: Sequence[Array]) -> Array:
    axes = call.attrs.axes
    return arrays[0].transpose(None if axes is None else calls.numbers(axes))


def _joined(call: Any, arrays: Sequence[Array]) -> Array:
    return np.concatenate(arrays, axis=int(call.attrs.axis or 0))


def _divided(_call: Any, arrays: Sequence[Array]) -> Array:
    return np.divide(*arrays)


EVALUATORS: dict[str, Evaluate] = {
    "relax.reshape": _reshaped,
    "relax.expand_dims": _reshaped,
    "relax.squeeze": _reshaped,
    "relax.flatten": _reshaped,
    "relax.broadcast_to": _broadcast,
    "relax.permute_dims": _permuted,
    "relax.concat": _joined,
    "relax.astype": lambda _call, arrays: arrays[0],  # the result is cast to the call's dtype
    "relax.add": _elementwise(np.add),
    "relax.subtract": _elementwise(np.subtract),
    "relax.multiply": _elementwise(np.multiply),
    "relax.divide": _divided,
    "relax.power": _elementwise(np.power),
    "relax.maximum": _elementwise(np.maximum),
    "relax.minimum": _elementwise(np.minimum),
    "relax.negative": _elementwise(np.negative),
    "relax.abs": _elementwise(np.abs),
    "relax.exp": _elementwise(np.exp),
    "relax.log": _elementwise(np.log),
    "relax.sqrt": _elementwise(np.sqrt),
    "relax.rsqrt": _elementwise(lambda x: 1 / np.sqrt(x)),
    "relax.square": _elementwise(np.square),
    "relax.tanh": _elementwise(np.tanh),
}
# NumPy divides integers into floats and Relax does not; float operators only.
_FLOAT_ONLY = {"relax.divide", "relax.power", "relax.rsqrt", "relax.sqrt", "relax.exp", "relax.log"}


@relax.transform.function_pass(opt_level=0, name="FoldConstants")
class FoldConstants:
    """Replace each call whose operands are all constant by its value."""

    def transform_function(self, function: Any, module: tvm.IRModule, _context: Any) -> Any:
        """f(c1, c2) → c3, for the operators in `EVALUATORS`."""
        return _Folder(module).visit_expr(function)


@mutator
class _Folder(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        evaluate = EVALUATORS.get(calls.name_of(call))
        if evaluate is None:
            return call
        arrays = self._constants(call.args)
        call = self.builder_.normalize(call)
        if arrays is None or not _is_foldable(call, arrays):
            return call
        with np.errstate(all="ignore"):  # an infinity in the weights is the model's own
            return calls.make_constant(evaluate(call, arrays).astype(calls.dtype_of(call)))

    def _constants(self, operands: Sequence[Any]) -> list[Array] | None:
        """The operands' arrays, those of a tuple one after the other; None if one is not constant."""
        arrays: list[Array] = []
        for operand in operands:
            if isinstance(operand, relax.ShapeExpr):
                continue
            value = self.lookup_binding(operand) if isinstance(operand, relax.Var) else operand
            fields = list(value.fields) if isinstance(value, relax.Tuple) else [value]
            for field in fields:
                bound = self.lookup_binding(field) if isinstance(field, relax.Var) else field
                array = calls.constant(bound)
                if array is None:
                    return None
                arrays.append(array)
        return arrays or None


def _is_foldable(call: Any, arrays: Sequence[Array]) -> bool:
    shape = calls.static_shape(call)
    if shape is None:
        return False
    if calls.name_of(call) in _FLOAT_ONLY and any(array.dtype.kind != "f" for array in arrays):
        return False
    return int(np.prod(shape)) <= max(GROWTH_LIMIT, sum(array.size for array in arrays))
