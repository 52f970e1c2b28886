"""Element by element: activations whose factors TVM drops, whole numbers where it wants floats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.equal_sizes import equal_but, found_equal
from neo_magics.compiler.frontends.torch_fixes.arithmetic import cast_to


def elu(node: Any, importer: Any) -> Any:
    """aten.elu(x, alpha, scale, input_scale). TVM forgets both scales, so SELU is wrong."""
    emit = importer.block_builder.emit
    x = importer.env[node.args[0]]
    alpha, scale, input_scale = (list(node.args[1:]) + [1.0, 1.0, 1.0][len(node.args) - 1 :])[:3]
    dtype = str(x.ty.dtype)

    def constant(value: float) -> Any:
        return relax.const(value, dtype)

    # Of the negative part only, so that exp cannot overflow where it is not used.
    low = emit(relax.op.multiply(emit(relax.op.minimum(x, constant(0.0))), constant(input_scale)))
    bent = emit(relax.op.subtract(emit(relax.op.exp(low)), constant(1.0)))
    negative = emit(relax.op.multiply(bent, constant(alpha * scale)))
    positive = emit(relax.op.multiply(emit(relax.op.maximum(x, constant(0.0))), constant(scale)))
    return emit(relax.op.add(positive, negative))


def of_floats(operator: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """A function of floats; PyTorch takes whole numbers too."""

    def convert(node: Any, importer: Any) -> Any:
        emit = importer.block_builder.emit
        dtype = importer._convert_data_type(node.meta["val"].dtype)
        return emit(operator(cast_to(emit, importer.env[node.args[0]], dtype)))

    return convert


def clamp(node: Any, importer: Any) -> Any:
    """aten.clamp. TVM: a missing bound of whole numbers becomes infinity, which they do not have."""
    emit = importer.block_builder.emit
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    x = cast_to(emit, importer.env[node.args[0]], dtype)
    low = node.args[1] if len(node.args) > 1 else node.kwargs.get("min")
    high = node.args[2] if len(node.args) > 2 else node.kwargs.get("max")
    for bound, operator in ((low, relax.op.maximum), (high, relax.op.minimum)):
        if bound is not None:
            x = emit(operator(x, cast_to(emit, importer._retrieve_args(bound), dtype)))
    return x


def concatenate(node: Any, importer: Any) -> Any:
    """aten.cat of tensors of different dtypes, in their common one.

    TVM: fails late, without a name, for parts whose free sizes it cannot prove to be equal: of x[:, 1:] with
    one place of padding, and x. PyTorch can, and its word is taken; where even PyTorch cannot, as of an image
    that was halved and doubled again, the model looks when it runs. It leaves out an empty list among tensors
    of more dimensions, as which a cache of keys and values begins; TVM: fails.
    """
    emit = importer.block_builder.emit
    nodes = [part for part in node.args[0] if len(part.meta["val"].shape) == len(node.meta["val"].shape)]
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    parts = [cast_to(emit, importer.env[part], dtype) for part in nodes]
    joined = importer.block_builder.normalize(relax.op.concat(parts, axis))
    if joined.ty.shape is None:
        joined = relax.op.concat(_of_equal_sizes(nodes, parts, axis, importer), axis)
    joined = emit(joined)
    if joined.ty.shape is None:
        raise NotImplementedError("parts of free sizes that cannot be told to be equal; give those sizes")
    return joined


def _of_equal_sizes(nodes: Sequence[Any], parts: Sequence[Any], axis: int, importer: Any) -> list[Any]:
    """`parts` of equal sizes but along the axis, as PyTorch says, or as the run has to find."""
    told = [[str(size) for size in part.meta["val"].shape] for part in nodes]
    places = [place for place in range(len(told[0])) if place != axis % len(told[0])]
    certain = all(shape[place] == told[0][place] for shape in told for place in places)
    shapes = equal_but(axis, [list(importer.shape_of(part)) for part in parts])
    builder = importer.block_builder
    if certain:
        return [builder.emit(relax.op.reshape(*pair)) for pair in zip(parts, shapes, strict=True)]
    return [found_equal(part, shape, builder) for part, shape in zip(parts, shapes, strict=True)]


def where(node: Any, importer: Any) -> Any:
    """aten.where of tensors of different dtypes, in their common one."""
    emit = importer.block_builder.emit
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    condition, x, y = (importer._retrieve_args(arg) for arg in node.args[:3])
    return emit(
        relax.op.where(cast_to(emit, condition, "bool"), cast_to(emit, x, dtype), cast_to(emit, y, dtype))
    )


def scatter_add(node: Any, importer: Any) -> Any:
    """aten.scatter_add."""
    x, axis, index, source = (importer._retrieve_args(arg) for arg in node.args[:4])
    return importer.block_builder.emit(relax.op.scatter_elements(x, index, source, axis, "add"))


def scatter_reduce(node: Any, importer: Any) -> Any:
    """aten.scatter_reduce.two, of which only prod, amax and amin are left by `torch_rewrites.scatters`."""
    x, axis, index, source, kind = (importer._retrieve_args(arg) for arg in node.args[:5])
    reduction = {"prod": "mul", "amax": "max", "amin": "min"}[kind]
    return importer.block_builder.emit(relax.op.scatter_elements(x, index, source, axis, reduction))


def full(node: Any, importer: Any) -> Any:
    """aten.full. TVM: fails for infinity, of which masks are made, and for what the dtype does not hold."""
    value = node.args[1]
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    special = not math.isfinite(value) if isinstance(value, float) else "uint" in dtype
    if not special or not isinstance(value, int | float):
        return importer._full(node)
    emit = importer.block_builder.emit
    shape = relax.ShapeExpr(importer.retrieve_args(node)[0])
    return emit(relax.op.broadcast_to(cast_to(emit, value, dtype), shape))


def empty(node: Any, importer: Any) -> Any:
    """aten.empty, whose numbers nobody reads: zeros. TVM: fails for a free size."""
    shape = relax.ShapeExpr(importer.retrieve_args(node)[0])
    return importer.block_builder.emit(
        relax.op.zeros(shape, importer._convert_data_type(node.meta["val"].dtype))
    )


def scalar(node: Any, importer: Any) -> Any:
    """aten.scalar_tensor. TVM: fails for a number that the dtype does not hold."""
    dtype = importer._convert_data_type(node.meta["val"].dtype)
    return cast_to(importer.block_builder.emit, importer._retrieve_args(node.args[0]), dtype)


def dropout(node: Any, importer: Any) -> Any:
    """aten.dropout. TVM: takes it for nothing also where it is in effect."""
    probability, train = node.args[1:3]
    if train and probability:
        raise NotImplementedError("in training its results are random")
    return importer.env[node.args[0]]


def native_dropout(node: Any, importer: Any) -> Any:
    """aten.native_dropout, which also returns what was kept. TVM: returns the input alone."""
    x = dropout(node, importer)
    return importer.block_builder.emit(relax.Tuple([x, relax.op.ones_like(x, "bool")]))


_OF_FLOATS = (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "exp", "log", "rsqrt",
    "sigmoid", "sin", "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip
CONVERTERS = {
    **{f"{name}.default": of_floats(getattr(relax.op, name)) for name in _OF_FLOATS},
    "full.default": full,
    "empty.memory_format": empty,
    "scalar_tensor.default": scalar,
    "dropout.default": dropout,
    "native_dropout.default": native_dropout,
    "elu.default": elu,
    "clamp.default": clamp,
    "clamp.Tensor": clamp,
    "cat.default": concatenate,
    "where.self": where,
    "scatter_add.default": scatter_add,
    "scatter_reduce.two": scatter_reduce,
}
