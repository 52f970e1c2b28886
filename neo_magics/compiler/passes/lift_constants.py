"""Weights become parameters: the library holds code, `compiled.params` holds numbers."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from neo_magics.compiler.passes.calls import ENTRY

WEIGHTS = "neo_weights"  # module attribute: the lifted tensors, in the order of the parameters


@tvm.transform.module_pass(opt_level=0, name="LiftConstants")
class LiftConstants:
    """Replace each constant of `main` by a parameter, and keep the tensors in the module's attributes.

    The new parameters come after the inputs; `num_input` tells BundleModelParams, which makes one tuple of
    them, where they begin. A tensor that is used twice is lifted once.
    """

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """main(x, …) with constants → main(x, …, p0, p1, …)."""
        function = module[ENTRY]
        lifter = _Lifter(module)
        body = lifter.visit_expr(function.body)
        parameters = [*function.params, *lifter.parameters]
        lifted = relax.Function(
            parameters, body, function.ret_ty, function.is_pure, function.attrs, function.span
        ).with_attr("num_input", len(function.params))
        result = lifter.builder_.get()
        result[ENTRY] = relax.utils.copy_with_new_vars(lifted)
        return result.with_attr(WEIGHTS, lifter.tensors)


@mutator
class _Lifter(PyExprMutator):  # type: ignore[misc]
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self.parameters: list[relax.Var] = []
        self.tensors: list[tvm.runtime.Tensor] = []
        self._by_handle: dict[int, relax.Var] = {}

    def visit_generic_const_(self, constant: tvm.ir.GenericConst) -> relax.Expr:
        tensor = constant.value
        if not isinstance(tensor, tvm.runtime.Tensor):
            return constant
        key = tensor.data_ptr() if hasattr(tensor, "data_ptr") else id(tensor)
        if key not in self._by_handle:
            parameter = relax.Var(f"p{len(self.tensors)}", constant.ty)
            self._by_handle[key] = parameter
            self.parameters.append(parameter)
            self.tensors.append(tensor)
        return self._by_handle[key]
