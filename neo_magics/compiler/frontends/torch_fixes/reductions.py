"""Reductions that TVM's importer does not know, and positions of maxima that it gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import relax


def reduced(operator: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """aten.amax, aten.amin, aten.prod.dim_int."""

    def convert(node: Any, importer: Any) -> Any:
        axes = node.args[1] if len(node.args) > 1 else None
        keep = node.args[2] if len(node.args) > 2 else node.kwargs.get("keepdim", False)
        return importer.block_builder.emit(operator(importer.env[node.args[0]], _axes(axes), keep))

    return convert


def any_true(node: Any, importer: Any) -> Any:
    """aten.any over everything, as the largest of 0 and 1."""
    emit = importer.block_builder.emit
    truth = emit(relax.op.astype(importer.env[node.args[0]], "bool"))
    return emit(relax.op.astype(emit(relax.op.max(emit(relax.op.astype(truth, "int8")))), "bool"))


def max_pool_with_indices(node: Any, importer: Any) -> Any:
    """aten.max_pool2d_with_indices. TVM counts positions within the window: they are refused if used."""
    import operator

    for user in node.users:
        if user.target is operator.getitem and user.args[1] == 1 and user.users:
            raise NotImplementedError("the positions of the maxima")
    return importer._max_pool2d_with_indices(node)


def _axes(axes: Any) -> Any:
    """One axis, several, or None for all (which PyTorch also writes as no axes)."""
    return axes if isinstance(axes, int) else list(axes or ()) or None


CONVERTERS = {
    "amax.default": reduced(relax.op.max),
    "amin.default": reduced(relax.op.min),
    "prod.dim_int": reduced(relax.op.prod),
    "any.default": any_true,
    "max_pool2d_with_indices.default": max_pool_with_indices,
}
