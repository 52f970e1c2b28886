"""Selecting and indexing: TVM reads negative indices out of bounds."""

from __future__ import annotations

import sys
from typing import Any

import tvm
from tvm import relax


def select(node: Any, importer: Any) -> Any:
    """aten.select.int. TVM: `x[:, -1]` reads before the tensor's first element."""
    x, axis, index = (importer._retrieve_args(arg) for arg in node.args)
    size = importer.shape_of(x)[axis]
    if isinstance(index, int) and index < 0:
        index = size + index
    if not isinstance(index, int) and not hasattr(index, "value"):
        index = relax.op.shape_to_tensor(relax.ShapeExpr([index]))
        taken = importer.block_builder.emit(relax.op.take(x, index, axis))
        return importer.block_builder.emit(relax.op.squeeze(taken, [axis]))
    return importer.block_builder.emit(relax.op.take(x, relax.const(int(index), "int64"), axis))


def index_tensor(node: Any, importer: Any) -> Any:
    """aten.index.Tensor. TVM reads negative indices out of bounds, and takes an outer product of indices
    that PyTorch pairs up.

    Indexed axes come first and are merged into one, from which a single `take` picks; the new axes go
    where PyTorch puts them.
    """
    emit = importer.block_builder.emit
    data, shape = importer.env[node.args[0]], list(importer.shape_of(importer.env[node.args[0]]))
    axes = [axis for axis, index in enumerate(node.args[1]) if index is not None]
    indices = [_not_negative(importer, importer.env[node.args[1][axis]], shape[axis]) for axis in axes]
    if len(axes) == 1:
        return emit(relax.op.take(data, indices[0], axes[0]))
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    first = emit(relax.op.permute_dims(data, axes + rest))
    merged = emit(relax.op.reshape(first, [-1, *(shape[axis] for axis in rest)]))
    position = indices[0]
    for axis, index in zip(axes[1:], indices[1:], strict=True):
        size = _scalar(importer, shape[axis], str(index.ty.dtype))
        position = emit(relax.op.add(emit(relax.op.multiply(position, size)), index))
    taken = emit(relax.op.take(merged, position, 0))
    return _placed(importer, taken, len(position.ty.shape), axes)


def part(node: Any, importer: Any) -> Any:
    """aten.slice. TVM: says that `x[:n]` with a free n leaves min(n, size); PyTorch allows no larger n.

    A sum with a tensor of size n would have no shape at all. The run checks that n are left.
    """
    import torch

    given: list[Any] = [*node.args[1:], *(0, None, None, 1)[len(node.args) - 1 :]]
    axis, start, end, step = given
    size = node.meta["val"].shape[axis]
    trimmed = _trimmed(node, importer, axis, start, end, step)
    if trimmed is not None:
        return trimmed
    if isinstance(size, int) or start or step != 1 or not isinstance(end, torch.fx.Node):
        return importer._slice(node)
    x, length = importer.env[node.args[0]], importer.env[end]
    shape = list(importer.shape_of(x))
    if str(end.meta["val"]) != str(size) or not hasattr(shape[axis], "value"):
        return importer._slice(node)
    shape[axis] = length
    emit, rank = importer.block_builder.emit, len(shape)
    ends = emit(relax.op.shape_to_tensor(relax.ShapeExpr(shape)))
    begins, steps = (relax.const([number] * rank, "int64") for number in (0, 1))
    taken = emit(relax.op.dynamic_strided_slice(x, begins, ends, steps))
    return importer.block_builder.match_cast(taken, relax.TensorType(shape, str(x.ty.dtype)))


def _trimmed(node: Any, importer: Any, axis: int, start: Any, end: Any, step: Any) -> Any | None:
    """x[a:-b] of a free size, where PyTorch says that a + b fewer are left. TVM: hedges with minima."""
    before, after = node.args[0].meta["val"].shape[axis], node.meta["val"].shape[axis]
    end = 0 if end is None or end == sys.maxsize else end
    whole = all(isinstance(number, int) for number in (start or 0, end, step)) and step == 1
    if isinstance(before, int) or isinstance(after, int) or not whole:
        return None
    first, last = start or 0, end
    if first < 0 or last > 0 or str(before + last - first) != str(after):
        return None
    x = importer.env[node.args[0]]
    size = list(importer.shape_of(x))[axis]
    cut = relax.op.strided_slice(x, [axis % len(x.ty.shape)], [first], [size + last], assume_inbound=True)
    return importer.block_builder.emit(cut)


def gather(node: Any, importer: Any) -> Any:
    """aten.gather. PyTorch takes no negative index here, so only the index dtype is adjusted."""
    x, axis, index = (importer._retrieve_args(arg) for arg in node.args[:3])
    return importer.block_builder.emit(relax.op.gather_elements(x, index, axis))


def embedding(node: Any, importer: Any) -> Any:
    """aten.embedding. TVM: cuts tokens to 32 bits, so that 2³² + 5 reads row 5."""
    weight, tokens = (importer.env[arg] for arg in node.args[:2])
    return importer.block_builder.emit(relax.op.take(weight, tokens, 0))


def bucketize(node: Any, importer: Any) -> Any:
    """aten.bucketize: NaN comes behind all boundaries. TVM: before them, or anywhere."""
    emit = importer.block_builder.emit
    found = importer._bucketize(node)
    x = importer._retrieve_args(node.args[0])
    if not str(x.ty.dtype).startswith("float"):
        return found
    behind = _scalar(
        importer, importer.shape_of(importer._retrieve_args(node.args[1]))[0], str(found.ty.dtype)
    )
    return emit(relax.op.where(emit(relax.op.isnan(x)), behind, found))


def _not_negative(importer: Any, index: Any, size: Any) -> Any:
    emit = importer.block_builder.emit
    dtype = str(index.ty.dtype)
    if dtype == "bool":
        raise NotImplementedError("a boolean mask as an index gives a size that depends on values")
    if isinstance(index, tvm.ir.GenericConst) and not (index.data.numpy() < 0).any():
        return index
    extent = _scalar(importer, size, dtype)
    negative = emit(relax.op.less(index, relax.const(0, dtype)))
    return emit(relax.op.where(negative, emit(relax.op.add(index, extent)), index))


def _placed(importer: Any, taken: Any, new: int, axes: list[int]) -> Any:
    """The new axes stay in front, unless the indexed ones were neighbours: then they take their place."""
    if axes != list(range(axes[0], axes[-1] + 1)) or axes[0] == 0:
        return taken
    rank = len(taken.ty.shape)
    before = list(range(new, new + axes[0]))
    order = before + list(range(new)) + list(range(new + axes[0], rank))
    return importer.block_builder.emit(relax.op.permute_dims(taken, order))


def _scalar(importer: Any, size: Any, dtype: str) -> Any:
    if hasattr(size, "value"):
        return relax.const(int(size), dtype)
    tensor = importer.block_builder.emit(relax.op.shape_to_tensor(relax.ShapeExpr([size])))
    return importer.block_builder.emit(relax.op.astype(tensor, dtype))


CONVERTERS = {
    "select.int": select,
    "slice.Tensor": part,
    "index.Tensor": index_tensor,
    "gather.default": gather,
    "bucketize.Tensor": bucketize,
    "embedding.default": embedding,
}
