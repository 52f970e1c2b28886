"""Operators that PyTorch's core set keeps and TVM lacks (or gets wrong), in terms of others.

Written in PyTorch, so that torch.export's own decomposition applies them. A function that returns
NotImplemented leaves the operator as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neo_magics.compiler.frontends.torch_assignments import index_put
from neo_magics.compiler.frontends.torch_rewrites import rewrites


def decomposition_table(program: Any) -> dict[Any, Callable[..., Any]]:
    """torch.export's default table, and ours, without the operators of `program` that we convert whole."""
    import torch

    aten = torch.ops.aten
    table: dict[Any, Callable[..., Any]] = dict(torch.export.default_decompositions())
    table.update(
        {
            aten.var_mean.correction: _var_mean,
            aten.max.dim: _extreme_dim("amax", "argmax"),  # which TVM's importer sorts for
            aten.min.dim: _extreme_dim("amin", "argmin"),
            aten.exp2.default: _exp2,
            aten.hypot.default: _hypot,
            aten.unfold.default: _unfold,
            aten.instance_norm.default: _instance_norm,
            aten.native_group_norm.default: _group_norm,
            aten.native_layer_norm.default: _layer_norm,
            aten.upsample_bilinear2d.vec: _upsample_bilinear2d,
            aten._scaled_dot_product_flash_attention_for_cpu.default: _attention,
            aten.im2col.default: _im2col,
            aten.index_put.default: index_put,
            aten.grid_sampler_2d.default: _grid_sampler,
            aten.searchsorted.Tensor: _searchsorted,
            aten.erfc.default: _erfc,
            aten._trilinear.default: _trilinear,
            aten.fake_quantize_per_tensor_affine.default: _fake_quantize,
            aten.fake_quantize_per_channel_affine.default: _fake_quantize_channels,
        }
    )
    table.update(rewrites(program))
    for operator in whole_layers(program):
        table.pop(operator, None)
    return table


def whole_layers(program: Any) -> tuple[Any, ...]:
    """The recurrent operators of `program` that are converted as they are."""
    import torch

    aten = torch.ops.aten
    whole = []
    for operator in (aten.lstm.input, aten.gru.input, aten.rnn_tanh.input):
        found = [node for node in program.graph.nodes if node.target is operator]
        if found and all(_is_plain_recurrent(node) for node in found):
            whole.append(operator)
    return tuple(whole)


def _is_plain_recurrent(node: Any) -> bool:
    """float32, no projection of the state, and no dropout that is in effect."""
    x, _state, params, has_biases, layers, dropout, train, bidirectional, _batch_first = node.args
    expected = layers * (4 if has_biases else 2) * (2 if bidirectional else 1)
    active = train and dropout > 0
    return str(x.meta["val"].dtype) == "torch.float32" and len(params) == expected and not active


def _var_mean(x: Any, dim: Any = None, *, correction: Any = None, keepdim: bool = False) -> Any:
    axes = tuple(range(x.dim())) if dim is None else tuple(dim)
    variance = x.var(axes, correction=1 if correction is None else correction, keepdim=keepdim)
    return variance, x.mean(axes, keepdim)


def _extreme_dim(value: str, place: str) -> Callable[..., Any]:
    """max or min along a dimension, with where it is: by the methods `value` and `place`."""

    def found(x: Any, dim: int, keepdim: bool = False) -> Any:
        import torch

        if x.dim() == 0:
            return x.clone(), x.new_zeros((), dtype=torch.int64)
        numbers = x.to(torch.uint8) if x.dtype == torch.bool else x
        return getattr(x, value)(dim, keepdim), getattr(numbers, place)(dim, keepdim)

    return found


def _exp2(x: Any) -> Any:
    return 2.0**x


def _hypot(x: Any, y: Any) -> Any:
    return (x * x + y * y).sqrt()


def _erfc(x: Any) -> Any:
    return 1 - x.erf()


def _searchsorted(
    ordered: Any,
    x: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    import torch

    if ordered.dim() != 1 or sorter is not None:
        return NotImplemented
    right = right or side == "right"
    return torch.ops.aten.bucketize.Tensor(x, ordered, out_int32=out_int32, right=right)


def _trilinear(
    a: Any, b: Any, c: Any, expand_a: Any, expand_b: Any, expand_c: Any, summed: Any, unroll: int = 1  # noqa: ARG001
) -> Any:  # fmt: skip
    """The sum over some axes of the product of three tensors, each without some of the axes."""
    product = 1
    for tensor, missing in ((a, expand_a), (b, expand_b), (c, expand_c)):
        for axis in missing:
            tensor = tensor.unsqueeze(axis)  # noqa: PLW2901
        product = tensor * product
    return product.sum(summed)  # type: ignore[attr-defined]


def _fake_quantize(x: Any, scale: float, zero: int, low: int, high: int) -> Any:
    """Rounded to a grid and clamped."""
    return ((x / scale + zero).round().clamp(low, high) - zero) * scale


def _fake_quantize_channels(x: Any, scale: Any, zero: Any, axis: int, low: int, high: int) -> Any:
    shape = [-1 if k == axis else 1 for k in range(x.dim())]
    return _fake_quantize(x, scale.reshape(shape), zero.reshape(shape), low, high)


def _unfold(x: Any, dimension: int, size: int, step: int) -> Any:
    """Windows of `size` along a dimension, as one gather."""
    import torch

    axis = dimension % x.dim()
    count = (x.shape[axis] - size) // step + 1
    index = torch.arange(count)[:, None] * step + torch.arange(size)[None, :]
    return x.index_select(axis, index.flatten()).unflatten(axis, (count, size)).movedim(axis + 1, -1)


def _instance_norm(  # noqa: PLR0913, PLR0917  the operator's own signature
    x: Any, weight: Any, bias: Any, running_mean: Any, running_var: Any, use_input_stats: bool,  # noqa: ARG001
    momentum: float, eps: float, cudnn_enabled: bool,  # noqa: ARG001
) -> Any:  # fmt: skip
    """A group for each channel. PyTorch's takes batch times channels for channels, which TVM cannot free."""
    import torch

    if not use_input_stats:
        return NotImplemented
    channels = x.shape[1]
    weight = x.new_ones(channels) if weight is None else weight
    bias = x.new_zeros(channels) if bias is None else bias
    return torch.nn.functional.group_norm(x, channels, weight, bias, eps)


def _group_norm(
    x: Any,
    weight: Any,
    bias: Any,
    n: int,
    c: int,
    hw: int,  # noqa: ARG001  the operator's signature
    group: int,
    eps: float,
) -> Any:
    """Without weights TVM's converter fails, and in float64; else it is kept whole."""
    if weight is not None and bias is not None and not _is_double(x):
        return NotImplemented
    grouped = x.reshape(n, group, -1)
    mean = grouped.mean(-1, keepdim=True)
    scale = (grouped.var(-1, correction=0, keepdim=True) + eps).rsqrt()
    out = ((grouped - mean) * scale).reshape(x.shape)
    shape = [1, c] + [1] * (x.dim() - 2)
    out = out if weight is None else out * weight.view(shape)
    out = out if bias is None else out + bias.view(shape)
    return out, mean.reshape(n, group), scale.reshape(n, group)


def _layer_norm(x: Any, shape: Any, weight: Any, bias: Any, eps: float) -> Any:
    """TVM has none in float64; else it is kept whole."""
    if not _is_double(x):
        return NotImplemented
    axes = list(range(-len(shape), 0))
    mean = x.mean(axes, keepdim=True)
    scale = (x.var(axes, correction=0, keepdim=True) + eps).rsqrt()
    out = (x - mean) * scale
    out = out if weight is None else out * weight
    return out if bias is None else out + bias, mean, scale


def _grid_sampler(x: Any, grid: Any, mode: int, padding: int, aligned: bool) -> Any:
    """Kept whole where we have a kernel: linear or nearest, zeros or the border around, known sizes."""
    import torch

    known = all(isinstance(size, int) for size in (*x.shape[1:], *grid.shape[1:]))
    if mode in (0, 1) and padding in (0, 1) and known and x.dtype == torch.float32 == grid.dtype:
        return NotImplemented
    overload = torch.ops.aten.grid_sampler_2d.default
    return torch._decomp.decomposition_table[overload](x, grid, mode, padding, aligned)


def _im2col(x: Any, sizes: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """Kept whole where the image's size is known."""
    import torch

    if all(isinstance(size, int) for size in x.shape[-3:]):
        return NotImplemented
    overload = torch.ops.aten.im2col.default
    return torch._decomp.decomposition_table[overload](x, sizes, dilation, padding, stride)


def _is_double(x: Any) -> bool:
    return str(x.dtype) == "torch.float64"


def _attention(
    query: Any,
    key: Any,
    value: Any,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    attn_mask: Any = None,
    scale: float | None = None,
) -> Any:
    """PyTorch's own has other strides than the operator, so that a later view (GPT-2's) fails."""
    import torch

    output, weights = torch.ops.aten._scaled_dot_product_attention_math.default(
        query, key, value, attn_mask, dropout_p, is_causal, None,
        scale=scale, enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return output.transpose(1, 2).contiguous().transpose(1, 2), weights


def _upsample_bilinear2d(x: Any, size: Any, align_corners: bool, factors: Any) -> Any:
    """TVM derives the step from the sizes; PyTorch from the factor, which differs where it is not exact."""
    import torch

    if size is not None or align_corners:
        return NotImplemented
    if all(float(n * f).is_integer() for n, f in zip(x.shape[-2:], factors, strict=True)):
        return NotImplemented
    overload = torch.ops.aten.upsample_bilinear2d.vec
    return torch._decomp.decomposition_table[overload](x, size, align_corners, factors)
