"""Embeddings that TVM lacks: rows of bounded length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """nn.Embedding and nn.EmbeddingBag with max_norm."""
    import torch

    return {torch.ops.aten.embedding_renorm.default: _renormed}


def _renormed(weight: Any, _indices: Any, max_norm: float, norm_type: float) -> Any:
    """PyTorch shortens only the rows that are looked up; nobody reads the others."""
    import torch

    norms = torch.linalg.vector_norm(weight, norm_type, 1, keepdim=True)
    return torch.where(norms > max_norm, weight * (max_norm / (norms + 1e-7)), weight)
