"""One step of a decoder of GPT-2's size: a token and the cached keys and values in, scores out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class DecoderLayer(nn.Module):
    """Attention of one token to the past and itself, then the wide pair; layer norm before each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = self.mix(self.norms[0](x)).unflatten(2, (3 * self.heads, -1)).transpose(1, 2).chunk(3, 1)
        keys, values = torch.cat([past[:1], k], 2), torch.cat([past[1:], v], 2)
        mixed = F.scaled_dot_product_attention(q, keys, values)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.wide(self.norms[1](x)), torch.cat([k, v])


class GPT2Step(nn.Module):
    """`past` is [layers, keys and values, heads, tokens, width]; returns scores and what to append to it.

    The scores reuse the embedding, which makes a matrix of 50257 × 768 times one vector.
    """

    def __init__(self, width: int = 768, heads: int = 12, depth: int = 12, vocabulary: int = 50257) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(1024, width)
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.scores = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)
        self.scores.weight = self.words.weight

    def forward(self, token: torch.Tensor, past: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.words(token) + self.places.weight[past.shape[3]]
        added = []
        for index, layer in enumerate(self.layers):
            x, own = layer(x, past[index])
            added.append(own)
        return self.scores(self.norm(x)), torch.stack(added)
