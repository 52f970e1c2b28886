"""Tensors whose size is computed: repetitions by a free number, numbers that count in steps."""

from __future__ import annotations

from typing import Any

from tvm import relax


def repeat(node: Any, importer: Any) -> Any:
    """aten.repeat. TVM: fails where a dimension is repeated as often as a free one is long."""
    x, times = importer.env[node.args[0]], list(importer._retrieve_args(node.args[1]))
    if all(isinstance(each, int) for each in times):
        return importer._repeat(node)
    emit = importer.block_builder.emit
    sizes = [1] * (len(times) - len(x.ty.shape.values)) + list(importer.shape_of(x))
    spread = emit(relax.op.reshape(x, [part for size in sizes for part in (1, size)]))
    pairs = list(zip(times, sizes, strict=True))
    wide = emit(relax.op.broadcast_to(spread, [part for pair in pairs for part in pair]))
    return emit(relax.op.reshape(wide, [count * size for count, size in pairs]))


def counted(node: Any, importer: Any) -> Any:
    """aten.arange.start_step of known numbers. TVM: one element too many of some steps."""
    values = node.args[:3]
    if not all(isinstance(each, int | float) for each in values):
        return importer._arange(node)
    import torch

    numbers = torch.arange(*values, dtype=node.meta["val"].dtype).numpy()
    return importer.block_builder.emit(relax.const(numbers, str(numbers.dtype)))


CONVERTERS = {"repeat.default": repeat, "arange.start_step": counted}
