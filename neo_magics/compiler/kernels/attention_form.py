"""What one attention computes and how its operands lie, for the kernels of attention, and small tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tvm import tirx
from tvm.script.ir_builder import tirx as T

LOWEST = -3.4028234663852886e38  # of float32
Index = Sequence[Any]


@dataclass(frozen=True)
class Operand:
    """A tensor argument and how its element (group…, row, column) is read."""

    shape: tuple[Any, ...]
    dtype: str
    place: Callable[[Index, Any, Any], list[Any]]


@dataclass(frozen=True)
class Mask:
    """Added to the scores, or, where `fill` is given, the condition under which `fill` replaces them.

    `kept`: the scores are replaced where the condition is false.
    """

    operand: Operand
    fill: float | None = None
    kept: bool = False
    per_key: bool = False  # the same for all queries


@dataclass(frozen=True)
class Attention:
    """Everything about one attention: groups are batch and heads, `out` its result's place and shape.

    The first group, queries and keys may be free, expressions of variables.
    `safe`: a row whose scores are all -∞ gives zeros instead of NaN, as in PyTorch's fused attention.
    """

    groups: tuple[Any, ...]
    queries: Any
    keys: Any
    depth: int
    width: int
    scale: float
    q: Operand
    k: Operand
    v: Operand
    masks: tuple[Mask, ...]
    out: Operand
    safe: bool


def free_sizes(a: Attention) -> list[tirx.Var]:
    """The variables of free queries, keys and what they are read by; none where only the batch is free."""
    if isinstance(a.queries, int) and isinstance(a.keys, int):
        return []
    shapes = [a.groups, (a.queries, a.keys), *(each.shape for each in (a.q, a.k, a.v, a.out))]
    shapes += [mask.operand.shape for mask in a.masks]
    sizes = [size for shape in shapes for size in shape if not isinstance(size, int)]
    found = [var for size in sizes for var in tirx.analysis.undefined_vars(size)]
    return list(dict.fromkeys(found))


def masked(a: Attention, score: Any, masks: Sequence[Any], group: Index, row: Any, key: Any) -> Any:
    """`score` of query `row` and `key` under the masks, whose buffers are `masks`."""
    for mask, buffer in zip(a.masks, masks, strict=True):
        value = at(buffer, mask.operand.place(group, 0 if mask.per_key else row, key))
        if mask.fill is None:
            score = score + value
            continue
        condition = value if mask.operand.dtype == "bool" else value != tirx.const(0, mask.operand.dtype)
        fill = number(mask.fill)
        score = tirx.Select(condition, *((score, fill) if mask.kept else (fill, score)))
    return score


def unflatten(index: Any, sizes: Index) -> list[Any]:
    """The index of each dimension of `sizes`, of a number that counts all elements."""
    group: list[Any] = []
    for size in reversed(sizes[1:]):
        group.insert(0, index % size)
        index = index // size
    return [index, *group] if sizes else []


def product(sizes: Index) -> Any:
    """All sizes multiplied."""
    total: Any = 1
    for size in sizes:
        total = total * size
    return total


def local(shape: tuple[Any, ...]) -> Any:
    """A float32 buffer of one iteration."""
    return T.alloc_buffer(shape, "float32", scope="local")


def at(buffer: Any, index: Index) -> Any:
    """An element."""
    return tirx.BufferLoad(buffer, list(index))


def number(value: float) -> Any:
    """A float32 constant."""
    return tirx.const(value, "float32")
