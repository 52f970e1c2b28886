"""Models in 16-bit floats are computed in float32, which this target's arithmetic and all rules are made for.

CPUs convert float16 and bfloat16 faster than they multiply them, where they can at all. Values are not
rounded between operators, so results are nearer to those of float32 than the framework's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings

HALVES = ("float16", "bfloat16")
WIDE = "float32"
_OF_KERNELS = ("relax.call_tir", "relax.call_dps_packed", "relax.call_pure_packed")


@tvm.transform.module_pass(opt_level=0, name="WidenHalves")
class WidenHalves:
    """f(float16…) → f(float32…). Inputs are widened where they are read, results narrowed at the end.

    Kernels that an importer wrote keep their dtypes, with casts around them.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`, if anything in it is narrow."""
        return calls.rewrite_entry(_Widener(module), module) if _is_narrow(module[calls.ENTRY]) else module


@mutator
class _Widener(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        function = module[calls.ENTRY]
        self._result = Bindings(function).value(function.body.body)
        self._wide: dict[Any, Any] = {}

    def visit_tuple_(self, fields: Any) -> Any:
        made = self.visit_expr_post_order(fields)
        if fields.same_as(self._result):
            return self._as_before(fields, made)
        return relax.Tuple([self._widened(field) for field in made.fields])

    def visit_call_(self, call: Any) -> Any:
        operands = [self.visit_expr(operand) for operand in call.args]
        if calls.name_of(call) in _OF_KERNELS or not calls.name_of(call):
            operands = [self._as_before(old, new) for old, new in zip(call.args, operands, strict=True)]
            return tvm.ir.Call(call.op, operands, call.attrs, call.ty_args)
        operands = [self._widened(operand) for operand in operands]
        is_inner = not call.same_as(self._result)
        if is_inner and _casts_nothing(call, operands):
            return operands[0]
        made = self.builder_.normalize(tvm.ir.Call(call.op, operands, _wide_attrs(call.attrs), call.ty_args))
        wanted = WIDE if is_inner and _dtype(call) in HALVES else _dtype(call)
        return made if _dtype(made) == wanted else relax.op.astype(self.builder_.emit(made), wanted)

    def _widened(self, value: Any) -> Any:
        """`value` in float32 if it is narrow: a constant, a parameter, or what a kernel made."""
        if _dtype(value) not in HALVES:
            return value
        array = calls.constant(value)
        if array is not None:
            return calls.make_constant(array.astype(WIDE))
        if value not in self._wide:
            self._wide[value] = self.builder_.emit(relax.op.astype(value, WIDE))
        return self._wide[value]

    def _as_before(self, old: Any, new: Any) -> Any:
        """`new` with the dtypes that a kernel knows it by."""
        if isinstance(old, relax.Tuple):
            return relax.Tuple([self._as_before(*pair) for pair in zip(old.fields, new.fields, strict=True)])
        before = _dtype(old)
        return new if before == _dtype(new) else self.builder_.emit(relax.op.astype(new, before))


def _is_narrow(function: Any) -> bool:
    values = [binding.value for block in function.body.blocks for binding in block.bindings]
    operands = [operand for value in values for operand in getattr(value, "args", [])]
    return any(_dtype(value) in HALVES for value in (*function.params, *values, *operands))


def _casts_nothing(call: Any, operands: Sequence[Any]) -> bool:
    """Whether a cast to a float meets one that is wide: it would stand between a norm and a product."""
    is_cast = calls.name_of(call) == "relax.astype" and str(call.attrs.dtype) in (*HALVES, WIDE)
    return is_cast and _dtype(operands[0]) == WIDE


def _dtype(value: Any) -> str:
    """A tensor's dtype, else ""."""
    return calls.dtype_of(value) if isinstance(getattr(value, "ty", None), relax.TensorType) else ""


def _wide_attrs(attrs: Any) -> Any:
    """`attrs` whose dtypes are wide."""
    if attrs is None:
        return None
    info = type(attrs).__tvm_ffi_type_info__
    fields = {field.name: getattr(attrs, field.name) for field in info.fields}
    narrow = [name for name, value in fields.items() if str(value) in HALVES]
    return tvm.ir.make_node(info.type_key, **{**fields, **dict.fromkeys(narrow, WIDE)}) if narrow else attrs
