"""Encoders: BERT-base (2018), a small one for sentences, ViT-Tiny (2021)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention; `mask` is added to the scores."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        q, k, v = (self._split(layer(x)) for layer in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        joined: torch.Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return joined

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    """Attention and a wide pair of linear layers; layer norm before each (`first`) or after it."""

    def __init__(self, width: int, heads: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.attention = Attention(width, heads)
        self.wide = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6 if first else 1e-12) for _ in range(2))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if self.first:
            x = x + self.attention(self.norms[0](x), mask)
            return x + self.wide(self.norms[1](x))
        x = self.norms[0](x + self.attention(x, mask))
        after: torch.Tensor = self.norms[1](x + self.wide(x))
        return after


class TextEncoder(nn.Module):
    """Token ids and a mask of 0 and 1 in; all states and the first one through tanh out, as BERT does."""

    def __init__(self, width: int, heads: int, depth: int, vocabulary: int = 30522) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(512, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, first=False) for _ in range(depth))
        self.pool = nn.Sequential(nn.Linear(width, width), nn.Tanh())

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.norm(self.words(ids) + self.places.weight[: ids.shape[1]])
        hidden = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, hidden)
        return x, self.pool(x[:, 0])


class VisionTransformer(nn.Module):
    """Patches of 16×16 as words, a token of its own for the class."""

    def __init__(self, width: int, heads: int, depth: int, size: int = 224) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (size // 16) ** 2 + 1, width))
        self.layers = nn.Sequential(*(Layer(width, heads, first=True) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 1000)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patches(image).flatten(2).transpose(1, 2)
        token = self.token.expand(patches.shape[0], -1, -1)
        x = self.layers(torch.cat([token, patches], 1) + self.places)
        scores: torch.Tensor = self.head(self.norm(x)[:, 0])
        return scores


def bert_base() -> nn.Module:
    """Twelve layers of 768."""
    return TextEncoder(768, 12, 12)


def small_encoder() -> nn.Module:
    """Six layers of 384, as in models of sentences."""
    return TextEncoder(384, 12, 6)


def vit_tiny() -> nn.Module:
    """Twelve layers of 192."""
    return VisionTransformer(192, 3, 12)
