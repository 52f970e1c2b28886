"""What a soft-max is taken of: a product of queries and keys under masks and scales, taken apart."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.bindings import Bindings

LAYOUT = ("relax.reshape", "relax.broadcast_to", "relax.expand_dims", "relax.squeeze")


@dataclass(frozen=True)
class FoundMask:
    """A mask: its value, the scores' shape where it meets them, and what `kernels.attention.Mask` has."""

    value: Any
    shape: Any
    fill: float | None = None
    kept: bool = False


@dataclass
class Scores:
    """softmax's operand, taken apart from the outside in."""

    masks: list[FoundMask] = field(default_factory=list)
    scale: float = 1.0
    product: Any = None
    safe: bool = False


def scores_of(bindings: Bindings, value: Any) -> Scores | None:
    """What is under the soft-max that `value` is, if it is one."""
    scores = Scores()
    weights = _through(bindings, value)
    if calls.name_of(weights) == "relax.where":  # PyTorch's safe soft-max
        inner = _through(bindings, weights.args[2])
        if calls.name_of(inner) != "relax.nn.softmax" or not _is_all_masked(bindings, weights, inner):
            return None
        weights, scores.safe = inner, True
    if calls.name_of(weights) != "relax.nn.softmax" or int(weights.attrs.axis) not in (
        -1,
        weights.ty.ndim - 1,
    ):
        return None
    return _take_apart(bindings, weights.args[0], scores)


def _take_apart(bindings: Bindings, value: Any, scores: Scores) -> Scores | None:
    """Masks first, then one scale, then the product."""
    while True:
        call = _through(bindings, value)
        name = calls.name_of(call)
        if name == "relax.matmul":
            scores.product = call
            return scores
        if name in ("relax.multiply", "relax.divide"):
            factor = scalar(bindings, call.args[1])
            if factor is None or (name == "relax.divide" and factor == 0):
                return None
            scores.scale *= factor if name == "relax.multiply" else 1 / factor
            value = call.args[0]
        elif name == "relax.add" and scores.scale == 1.0:
            first = 0 if _leads_to_product(bindings, call.args[0]) else 1
            scores.masks.insert(0, FoundMask(call.args[1 - first], calls.shape_of(call)))
            value = call.args[first]
        elif name == "relax.where" and scores.scale == 1.0:
            kept = scalar(bindings, call.args[1]) is None
            fill = scalar(bindings, call.args[2 if kept else 1])
            if fill is None:
                return None
            scores.masks.insert(0, FoundMask(call.args[0], calls.shape_of(call), fill, kept))
            value = call.args[1 if kept else 2]
        else:
            return None


def _leads_to_product(bindings: Bindings, value: Any) -> bool:
    """Whether `value` is a product under scales and masks."""
    call = _through(bindings, value)
    name = calls.name_of(call)
    if name in ("relax.multiply", "relax.divide", "relax.add"):
        return any(_leads_to_product(bindings, operand) for operand in call.args)
    if name == "relax.where":
        return any(_leads_to_product(bindings, operand) for operand in call.args[1:])
    return name == "relax.matmul"


def _is_all_masked(bindings: Bindings, where: Any, softmax: Any) -> bool:
    """where(not any(s != -inf), 0, softmax(s)): rows that are masked altogether give zeros."""
    zeros = bindings.value(where.args[1])
    zero = zeros.args[-1] if calls.name_of(zeros) in ("relax.full_like", "relax.full") else zeros
    if scalar(bindings, zero) != 0.0:
        return False
    value = where.args[0]
    for name in ("logical_not", "astype", "max", "astype", "logical_not", "equal"):
        call = bindings.value(value)
        if calls.name_of(call) != f"relax.{name}":
            return False
        value = call.args[0]
    return scalar(bindings, call.args[1]) == -math.inf and bool(value.same_as(softmax.args[0]))


def _through(bindings: Bindings, value: Any) -> Any:
    """What computes `value`, looking through changes of its leading dimensions."""
    while True:
        bound = bindings.value(value)
        if calls.name_of(bound) not in LAYOUT:
            return bound
        before, after = calls.shape_of(bound.args[0]), calls.shape_of(bound)
        if before is None or after is None or before[-2:] != after[-2:] or len(after) < 2:
            return bound
        value = bound.args[0]


def scalar(bindings: Bindings, value: Any) -> float | None:
    array = calls.constant(bindings.value(value))
    if array is None or array.size != 1:
        return None
    return float(array.reshape(()))
