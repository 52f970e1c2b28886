"""Small rewrites of an imported Relax module that all importers share."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any


def always_tuple(module: Any) -> Any:
    """`module` with a "main" whose result is a tuple, of one element if it was a single tensor."""
    from tvm import relax

    function = module["main"]
    if isinstance(function.ret_ty, relax.TupleType):
        return module
    result_type = relax.TupleType([function.ret_ty])
    result = relax.Var("outputs", result_type)
    binding = relax.BindingBlock([relax.VarBinding(result, relax.Tuple([function.body.body]))])
    body = relax.SeqExpr([*function.body.blocks, binding], result)
    rebuilt = relax.Function(function.params, body, result_type, function.is_pure, function.attrs)
    updated = module.clone()
    updated["main"] = rebuilt
    return relax.transform.Normalize()(updated)


def prelu(emit: Callable[[Any], Any], x: Any, slope: Any) -> Any:
    """x where it is at least 0, else slope · x, as a choice: layouts are known for that.

    `emit` binds an expression; `slope` is broadcast to the shape of `x`. TVM's own `nn.prelu` takes the
    slopes of one axis, and nothing moves past it.
    """
    from tvm import relax

    below = emit(relax.op.less(x, relax.const(0, str(x.ty.dtype.dtype))))
    return relax.op.where(below, emit(relax.op.multiply(x, slope)), x)


def bind_sizes(module: Any, sizes: Mapping[str, int]) -> Any:
    """`module` with the free dimensions named in `sizes` (by their TIR variables) fixed."""
    from tvm import relax

    return relax.transform.BindSymbolicVars(dict(sizes), "main")(module) if sizes else module


def main_tensors(module: Any) -> tuple[list[Any], list[Any]]:
    """The types of "main"'s parameters and of its results."""
    function = module["main"]
    return [param.ty for param in function.params], list(function.ret_ty.fields)


def shape_of(tensor: Any) -> tuple[int | str, ...]:
    """A tensor type's shape with text for what is not a number: `batch`, `batch * 896`."""
    return tuple(int(size) if hasattr(size, "value") else _size_text(size) for size in tensor.shape)


def _size_text(size: Any) -> str:
    from tvm.sym import Analyzer

    return re.sub(r"T\.int64\((-?\d+)\)", r"\1", str(Analyzer().simplify(size)))
