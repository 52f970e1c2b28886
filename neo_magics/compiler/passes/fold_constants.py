"""Arithmetic on weights is done now, with NumPy.

TVM's own FoldConstant compiles each expression apart, seconds for a network; NumPy takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.calls import Array
from neo_magics.compiler.passes.evaluators import CREATED, EVALUATORS, FLOAT_ONLY, split_part

# A constant may grow (broadcast) up to this many elements; beyond, it is computed where it is used.
GROWTH_LIMIT = 1 << 20
CREATED_LIMIT = 1 << 16  # the same of what is made of nothing: zeros cost a kernel less than reading them


@relax.transform.function_pass(opt_level=0, name="FoldConstants")
class FoldConstants:
    """Replace each call whose operands are all constant by its value; parts of no width are not joined."""

    def transform_function(self, function: Any, module: tvm.IRModule, _context: Any) -> Any:
        """f(c1, c2) → c3, for the operators in `EVALUATORS`."""
        return _Folder(module).visit_expr(function)


@mutator
class _Folder(PyExprMutator):  # type: ignore[misc]
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if calls.name_of(call) == "relax.concat":
            call = self._without_empty(call)
        evaluate = EVALUATORS.get(calls.name_of(call))
        if evaluate is None:
            return call
        arrays = self._constants(call.args)
        call = self.builder_.normalize(call)
        if arrays is None or not _is_foldable(call, arrays):
            return call
        with np.errstate(all="ignore"):  # an infinity in the weights is the model's own
            value = evaluate(call, arrays)
        if value is None:
            return call
        return calls.make_constant(value.astype(calls.dtype_of(call)))

    def visit_tuple_getitem_(self, item: Any) -> Any:
        item = self.visit_expr_post_order(item)
        split: Any = item.tuple_value
        split = self.lookup_binding(split) if isinstance(split, relax.Var) else split
        arrays = self._constants(split.args) if calls.name_of(split) == "relax.split" else None
        if not arrays or 0 in (calls.static_shape(item) or (0,)):
            return item
        return calls.make_constant(split_part(split, int(item.index), arrays[0]))

    def _without_empty(self, call: Any) -> Any:
        """The concatenation of the parts that have elements; the only one itself."""
        parts = calls.fields_of(call.args[0], self.lookup_binding)
        shapes = [calls.shape_of(part) for part in parts]
        axis = int(call.attrs.axis or 0)
        kept = [part for part, shape in zip(parts, shapes, strict=True) if shape is None or shape[axis] != 0]
        if not kept or len(kept) == len(parts):
            return call
        return kept[0] if len(kept) == 1 else self.builder_.normalize(relax.op.concat(kept, axis))

    def _constants(self, operands: Sequence[Any]) -> list[Array] | None:
        """The operands' arrays, those of a tuple one after the other; None if one is not constant."""
        arrays: list[Array] = []
        for operand in operands:
            if isinstance(operand, relax.ShapeExpr | tirx.IntImm) or calls.integers(operand) is not None:
                continue  # the evaluator reads it in the call
            value = self.lookup_binding(operand) if isinstance(operand, relax.Var) else operand
            fields = list(value.fields) if isinstance(value, relax.Tuple) else [value]
            for field in fields:
                bound = self.lookup_binding(field) if isinstance(field, relax.Var) else field
                array = calls.constant(bound)
                if array is None:
                    return None
                arrays.append(array)
        return arrays


def _is_foldable(call: Any, arrays: Sequence[Array]) -> bool:
    shape = calls.static_shape(call)
    if shape is None or 0 in shape:  # kernels do not take weights without elements
        return False
    if calls.name_of(call) in FLOAT_ONLY and any(array.dtype.kind != "f" for array in arrays):
        return False
    limit = CREATED_LIMIT if calls.name_of(call) in CREATED else GROWTH_LIMIT
    return int(np.prod(shape)) <= max(limit, sum(array.size for array in arrays))
