"""Convolutions in other dtypes than float32, and transposed ones of volumes."""

from __future__ import annotations

from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.torch_fixes.arithmetic import cast_to

_LAYOUTS = {1: "W", 2: "HW", 3: "DHW"}


def convolution(node: Any, importer: Any) -> Any:
    """aten.convolution. TVM: computes float32 whatever the operands are, and then cannot add a bias.

    float64 is computed as such; float16 and bfloat16 are summed in float32, as PyTorch does. Of volumes it
    does not know transposed ones.
    """
    x = importer.env[node.args[0]]
    volumes = node.args[6] and len(importer.shape_of(x)) == 5
    if str(x.ty.dtype) == "float32" and not volumes:
        return importer._convolution(node)
    emit, bias = importer.block_builder.emit, node.args[2]
    dtype = "float64" if str(x.ty.dtype) == "float64" else "float32"
    result = emit(_by_rank(node, importer, dtype))
    if bias is None:
        return result
    shape = [1, -1] + [1] * (len(importer.shape_of(x)) - 2)
    return emit(relax.op.add(result, cast_to(emit, emit(relax.op.reshape(importer.env[bias], shape)), dtype)))


def _by_rank(node: Any, importer: Any, dtype: str) -> Any:
    x, weight = (importer.env[arg] for arg in node.args[:2])
    _bias, stride, padding, dilation, transposed, extra, groups = node.args[2:9]
    spatial = _LAYOUTS[len(importer.shape_of(x)) - 2]
    name = f"conv{len(spatial)}d_transpose" if transposed else f"conv{len(spatial)}d"
    operator = getattr(relax.op.nn, name, None)
    if operator is None:
        raise NotImplementedError(f"transposed over {len(spatial)} axes")
    more = {"output_padding": list(extra)} if transposed else {}
    return operator(
        x,
        weight,
        strides=list(stride),
        padding=list(padding),
        dilation=list(dilation),
        groups=groups,
        data_layout=f"NC{spatial}",
        kernel_layout=("IO" if transposed else "OI") + spatial,
        out_dtype=dtype,
        **more,
    )


CONVERTERS = {"convolution.default": convolution}
