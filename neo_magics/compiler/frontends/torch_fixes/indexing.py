"""Selecting and indexing: TVM reads negative indices out of bounds."""

from __future__ import annotations

from typing import Any

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
    """aten.index.Tensor. TVM: negative indices read out of bounds; a mask as index is refused here."""
    data = importer.env[node.args[0]]
    shape = importer.shape_of(data)
    for position, index in enumerate(node.args[1]):
        if index is not None:
            importer.env[index] = _not_negative(importer, importer.env[index], shape[position])
    return importer._index_tensor(node)


def gather(node: Any, importer: Any) -> Any:
    """aten.gather. PyTorch takes no negative index here, so only the index dtype is adjusted."""
    x, axis, index = (importer._retrieve_args(arg) for arg in node.args[:3])
    return importer.block_builder.emit(relax.op.gather_elements(x, index, axis))


def _not_negative(importer: Any, index: Any, size: Any) -> Any:
    emit = importer.block_builder.emit
    dtype = str(index.ty.dtype)
    if dtype == "bool":
        raise NotImplementedError("a boolean mask as an index gives a size that depends on values")
    if isinstance(index, relax.Constant) and not (index.data.numpy() < 0).any():
        return index
    extent = _scalar(importer, size, dtype)
    negative = emit(relax.op.less(index, relax.const(0, dtype)))
    return emit(relax.op.where(negative, emit(relax.op.add(index, extent)), index))


def _scalar(importer: Any, size: Any, dtype: str) -> Any:
    if hasattr(size, "value"):
        return relax.const(int(size), dtype)
    tensor = importer.block_builder.emit(relax.op.shape_to_tensor(relax.ShapeExpr([size])))
    return importer.block_builder.emit(relax.op.astype(tensor, dtype))


CONVERTERS = {"select.int": select, "index.Tensor": index_tensor, "gather.default": gather}
