"""Normalisations of half-precision tensors with weights of float32, which torch.autocast makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.torch_fixes.arithmetic import cast_to


def in_float32(name: str) -> Callable[[Any, Any], Any]:
    """TVM's converter `name` with its tensors in float32 where their dtypes differ, or are bfloat16; TVM:
    refuses both.

    PyTorch computes norms of half precision in float32 too. What reads the result casts it back.
    """

    def convert(node: Any, importer: Any) -> Any:
        convert = getattr(importer, name)
        given = {arg: importer.env[arg] for arg in node.args if hasattr(arg, "meta") and arg in importer.env}
        tensors = {arg: x for arg, x in given.items() if isinstance(x, relax.Expr)}
        dtypes = {str(x.ty.dtype) for x in tensors.values()}
        if len(dtypes) < 2 and "bfloat16" not in dtypes:
            return convert(node)
        emit = importer.block_builder.emit
        importer.env.update({arg: cast_to(emit, x, "float32") for arg, x in tensors.items()})
        try:
            return convert(node)
        finally:
            importer.env.update(given)

    return convert


CONVERTERS = {
    "native_layer_norm.default": in_float32("_native_layer_norm"),
    "native_group_norm.default": in_float32("_native_group_norm"),
    "_native_batch_norm_legit_no_training.default": in_float32("_batch_norm_legit_no_training"),
}
