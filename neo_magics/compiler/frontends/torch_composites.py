"""Fused PyTorch operators, which TorchScript calls directly, in terms of plain ones.

PyTorch has these as one native call without a decomposition, so a recorded graph would hold an operator
that no importer knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def decompositions() -> dict[Any, Callable[..., Any]]:
    """Operator → function over plain operators, for make_fx."""
    import torch

    aten = torch.ops.aten
    return {
        aten._convolution.default: _convolution,
        aten._transformer_encoder_layer_fwd.default: _encoder_layer,
        aten._native_multi_head_attention.default: _multi_head_attention,
    }


def _convolution(x: Any, weight: Any, bias: Any, *geometry: Any) -> Any:
    """Without the trailing flags of the CUDA backend: stride, padding, dilation, transposed, …, groups."""
    import torch

    return torch.ops.aten.convolution.default(x, weight, bias, *geometry[:6])


def _encoder_layer(  # noqa: PLR0913, PLR0917  the operator's own signature
    src: Any, embed_dim: int, num_heads: int, qkv_weight: Any, qkv_bias: Any, proj_weight: Any,
    proj_bias: Any, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Any, norm_bias_1: Any,
    norm_weight_2: Any, norm_bias_2: Any, ffn_weight_1: Any, ffn_bias_1: Any, ffn_weight_2: Any,
    ffn_bias_2: Any, mask: Any = None, mask_type: int | None = None,
) -> Any:  # fmt: skip
    """nn.TransformerEncoderLayer's fast path."""
    import torch

    functional = torch.nn.functional
    activation = functional.gelu if use_gelu else functional.relu

    def attend(x: Any) -> Any:
        return _attention(
            x, x, x, num_heads, (qkv_weight, qkv_bias), (proj_weight, proj_bias), mask, mask_type
        )[0]

    def feed(x: Any) -> Any:
        inner = activation(functional.linear(x, ffn_weight_1, ffn_bias_1))
        return functional.linear(inner, ffn_weight_2, ffn_bias_2)

    def norm_1(x: Any) -> Any:
        return functional.layer_norm(x, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def norm_2(x: Any) -> Any:
        return functional.layer_norm(x, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    if norm_first:
        x = src + attend(norm_1(src))
        return x + feed(norm_2(x))
    x = norm_1(src + attend(src))
    return norm_2(x + feed(x))


def _multi_head_attention(  # noqa: PLR0913, PLR0917  the operator's own signature
    query: Any, key: Any, value: Any, embed_dim: int, num_head: int,  # noqa: ARG001
    qkv_weight: Any, qkv_bias: Any,
    proj_weight: Any, proj_bias: Any, mask: Any = None, need_weights: bool = True,
    average_attn_weights: bool = True, mask_type: int | None = None,
) -> Any:  # fmt: skip
    """nn.MultiheadAttention's fast path: the output and the weights (empty where they are not needed)."""
    output, weights = _attention(
        query, key, value, num_head, (qkv_weight, qkv_bias), (proj_weight, proj_bias), mask, mask_type
    )
    if not need_weights:
        return output, weights.new_empty((0,))
    return output, weights.mean(dim=1) if average_attn_weights else weights


def _attention(
    query: Any, key: Any, value: Any, heads: int, qkv: Any, projection: Any, mask: Any, mask_type: int | None
) -> tuple[Any, Any]:
    import torch

    functional = torch.nn.functional
    batch, length, width = query.shape
    weights, biases = qkv[0].chunk(3), qkv[1].chunk(3)

    def split(x: Any, index: int) -> Any:
        projected = functional.linear(x, weights[index], biases[index])
        return projected.view(batch, x.shape[1], heads, width // heads).transpose(1, 2)

    q, k, v = split(query, 0), split(key, 1), split(value, 2)
    scores = (q @ k.transpose(-1, -2)) * (width // heads) ** -0.5
    if mask is not None:
        scores = scores.masked_fill(_widened(mask, mask_type).to(torch.bool), float("-inf"))
    attention = scores.softmax(-1)
    joined = (attention @ v).transpose(1, 2).reshape(batch, length, width)
    return functional.linear(joined, projection[0], projection[1]), attention


def _widened(mask: Any, mask_type: int | None) -> Any:
    """Type 0: (length, length) for all; 1: (batch, length) of padding; 2: already (batch, heads, …)."""
    return mask[:, None, None, :] if mask.dim() == 2 and mask_type == 1 else mask
