"""What the passes ask of Relax calls: which operator, which shapes, which operands are constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx
from tvm.sym import Analyzer

ENTRY = "main"  # the function that a model is
# Element by element: names of operators that several passes move.
ACTIVATIONS = (
    "nn.relu", "nn.relu6", "nn.leakyrelu", "nn.gelu", "nn.gelu_tanh", "nn.selu", "nn.silu", "nn.softplus",
    "sigmoid", "tanh",
)  # fmt: skip
UNARY = (
    *ACTIVATIONS, "abs", "astype", "atan", "ceil", "clip", "cos", "erf", "exp", "floor", "log", "negative",
    "round", "rsqrt", "sign", "sin", "sqrt", "square", "trunc",
)  # fmt: skip
BINARY = ("add", "subtract", "multiply", "divide", "power", "maximum", "minimum")
COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
REDUCTIONS = ("mean", "sum", "max", "min")
Array = np.ndarray[Any, Any]


def name_of(expression: Any) -> str:
    """`relax.add` for a call of that operator, else ""."""
    is_operator = isinstance(expression, tvm.ir.Call) and isinstance(expression.op, tvm.ir.Op)
    return str(expression.op.name) if is_operator else ""


def constant(expression: Any) -> Array | None:
    """The array of a constant tensor, else None."""
    if isinstance(expression, tvm.ir.GenericConst) and isinstance(expression.value, tvm.runtime.Tensor):
        array: Array = expression.value.numpy()
        return array
    return None


def make_constant(array: Array) -> relax.Expr:
    """A constant tensor with the array's shape (0-d stays 0-d) and dtype."""
    ordered = np.asarray(array, order="C")
    return relax.const(ordered, str(ordered.dtype))  # without it, 64-bit integers become 32-bit ones


def shape_of(expression: Any) -> tuple[int | tirx.Expr, ...] | None:
    """The shape of a tensor: numbers, and expressions for free dimensions; None where it is unknown."""
    ty = expression.ty
    if not isinstance(ty, relax.TensorType) or ty.shape is None or not hasattr(ty.shape, "values"):
        return None
    return tuple(int(size) if isinstance(size, tirx.IntImm) else size for size in ty.shape.values)


def static_shape(expression: Any) -> tuple[int, ...] | None:
    """The shape where every dimension is a number, else None."""
    shape = shape_of(expression)
    if shape is None or not all(isinstance(size, int) for size in shape):
        return None
    return tuple(int(size) for size in shape)


def product(sizes: Sequence[Any]) -> Any:
    """Numbers and expressions multiplied; 1 of none."""
    total: Any = 1
    for size in sizes:
        total = size if isinstance(total, int) and total == 1 else total * size
    return total


def same_size(a: Any, b: Any) -> bool:
    """Whether two dimensions are known to be equal; each a number or an expression."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return not isinstance(a, int) and not isinstance(b, int) and bool(Analyzer().can_prove_equal(a, b))


def told_size(size: Any, name: str) -> Any:
    """A size that a kernel knows, or a variable which it reads off its operand's shape."""
    return size if isinstance(size, int) else tirx.Var(name, "int64")


def has_shape(value: Any, shape: Sequence[Any]) -> bool:
    """Whether a tensor is known to have this shape."""
    own = shape_of(value)
    return own is not None and len(own) == len(shape) and all(map(same_size, own, shape))


def fields_of(joined: Any, lookup: Callable[[Any], Any]) -> list[Any]:
    """The parts that a concatenation is given, as a tuple or a variable that `lookup` knows to be one."""
    value = lookup(joined) if isinstance(joined, relax.Var) else joined
    return list(value.fields) if isinstance(value, relax.Tuple) else []


def dtype_of(expression: Any) -> str:
    """NumPy's name of a tensor's dtype."""
    return str(expression.ty.dtype.dtype)


def numbers(values: Sequence[Any]) -> tuple[int, ...]:
    """An attribute's integers."""
    return tuple(int(value) for value in values)


def integers(operand: Any) -> list[int] | None:
    """The numbers of a tuple of prim values, or None."""
    values = getattr(operand, "fields", None)
    if values is None:
        return None
    found = [getattr(value, "value", value) for value in values]
    if not all(isinstance(value, int | tirx.IntImm) for value in found):
        return None
    return [int(value) for value in found]


def is_plain_convolution(call: Any, kernel_layout: str, sizes: Sequence[Any]) -> bool:
    """Whether it is float32, N C H W with weights in `kernel_layout`, and all `sizes` are numbers above 0."""
    attrs = call.attrs
    layouts = (attrs.data_layout, attrs.kernel_layout, attrs.out_layout)
    known = all(isinstance(size, int) and size > 0 for size in sizes)
    floats = {dtype_of(operand) for operand in call.args} == {"float32"}
    return known and floats and layouts == ("NCHW", kernel_layout, "NCHW")


def batch_norm_of(item: Any, lookup: Callable[[Any], Any]) -> Any | None:
    """The call of batch norm over axis 1 whose normed result the tuple's `item` is; None where it is none."""
    norm: Any = lookup(item.tuple_value) if isinstance(item.tuple_value, relax.Var) else None
    found = item.index == 0 and name_of(norm) == "relax.nn.batch_norm" and int(norm.attrs.axis) == 1
    return norm if found else None


def rewrite_entry(mutator: Any, module: tvm.IRModule) -> tvm.IRModule:
    """`module` with `main` rewritten by a PyExprMutator, and the kernels that it added."""
    entry = module.get_global_var(ENTRY)
    mutator.builder_.update_func(entry, mutator.visit_expr(module[ENTRY]))
    rewritten = mutator.builder_.get()
    for key, value in (module.attrs or {}).items():
        rewritten = rewritten.with_attr(key, value)
    return rewritten


def rewrite_kernels(change: Callable[[tirx.PrimFunc], tirx.PrimFunc], module: tvm.IRModule) -> tvm.IRModule:
    """`module` with every kernel as `change` makes it."""
    updated = tvm.IRModule(dict(module.functions_items()), attrs=module.attrs)
    for var, func in module.functions_items():
        if isinstance(func, tirx.PrimFunc):
            updated[var] = change(func)
    return updated


class Uses:
    """How often each variable of a function is used by what the result needs, the result included."""

    def __init__(self, function: relax.Function) -> None:
        self._count: dict[Any, int] = {}
        self._add(function.body.body)
        for block in reversed(function.body.blocks):
            pure = isinstance(block, relax.DataflowBlock)
            for binding in reversed(block.bindings):
                if binding.var in self._count or not pure:
                    self._add(binding.value)

    def _add(self, value: Any) -> None:
        if isinstance(value, relax.Var):  # the result, or another name
            self._count[value] = self._count.get(value, 0) + 1
        relax.analysis.post_order_visit(value, self._visit)

    def once(self, variable: Any) -> bool:
        """Whether nothing else needs the value, so that it can be computed differently."""
        return self._count.get(variable, 0) == 1

    def _visit(self, expression: Any) -> None:
        operands: list[Any] = []
        if isinstance(expression, tvm.ir.Call):
            operands = list(expression.args)
        elif isinstance(expression, relax.Tuple):
            operands = list(expression.fields)
        elif isinstance(expression, relax.TupleGetItem):
            operands = [expression.tuple_value]
        elif isinstance(expression, relax.SeqExpr):
            operands = [expression.body]
        for operand in operands:
            if isinstance(operand, relax.Var):
                self._count[operand] = self._count.get(operand, 0) + 1
