"""Activations by the names that ONNX's recurrent layers give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, dtype_of


def activation(node: Node, name: str, x: Any, alpha: float | None = None, beta: float | None = None) -> Any:
    """`x` after the activation called `name` (in small letters); ONNX's defaults for what is None."""
    if name not in _KNOWN:
        raise node.unsupported(f"with the activation {name}")
    compute, *defaults = _KNOWN[name]
    if name in _SAID and (alpha is None or beta is None):
        raise node.unsupported(f"with the activation {name} that leaves its factors open")
    given = [
        default if value is None else value for value, default in zip((alpha, beta), defaults, strict=False)
    ]
    return compute(_Emitter(node, x), x, *given)


class _Emitter:
    """Short forms of the operators, in the dtype of what they are applied to."""

    def __init__(self, node: Node, x: Any) -> None:
        self.node, self.dtype = node, dtype_of(x)

    def __call__(self, operator: Callable[..., Any], *operands: Any) -> Any:
        return self.node.emit(operator(*map(self._tensor, operands)))

    def _tensor(self, value: Any) -> Any:
        return relax.const(value, self.dtype) if isinstance(value, int | float) else value

    def choose(self, condition: Any, yes: Any, no: Any) -> Any:
        return self.node.emit(relax.op.where(condition, self._tensor(yes), self._tensor(no)))

    def clip(self, value: Any) -> Any:
        return self.node.emit(relax.op.clip(value, 0, 1))


def _affine(e: _Emitter, x: Any, alpha: float, beta: float) -> Any:
    return e(relax.op.add, e(relax.op.multiply, x, alpha), beta)


def _scaled_tanh(e: _Emitter, x: Any, alpha: float, beta: float) -> Any:
    return e(relax.op.multiply, e(relax.op.tanh, e(relax.op.multiply, x, beta)), alpha)


def _leaky(e: _Emitter, x: Any, alpha: float) -> Any:
    return e.choose(e(relax.op.less, x, 0), e(relax.op.multiply, x, alpha), x)


def _elu(e: _Emitter, x: Any, alpha: float) -> Any:
    below = e(relax.op.multiply, e(relax.op.subtract, e(relax.op.exp, x), 1), alpha)
    return e.choose(e(relax.op.less, x, 0), below, x)


def _softplus(e: _Emitter, x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    small = e(relax.op.exp, e(relax.op.negative, e(relax.op.abs, x)))
    return e(relax.op.add, e(relax.op.nn.relu, x), e(relax.op.log, e(relax.op.add, small, 1)))


_SAID = ("affine", "scaledtanh")  # ONNX and ONNX Runtime have different defaults
# name → what computes it, and the defaults of alpha and beta
_KNOWN: dict[str, tuple[Any, ...]] = {
    "sigmoid": (lambda e, x: e(relax.op.sigmoid, x),),
    "tanh": (lambda e, x: e(relax.op.tanh, x),),
    "relu": (lambda e, x: e(relax.op.nn.relu, x),),
    "affine": (_affine, 0.0, 0.0),
    "scaledtanh": (_scaled_tanh, 0.0, 0.0),
    "hardsigmoid": (lambda e, x, alpha, beta: e.clip(_affine(e, x, alpha, beta)), 0.2, 0.5),
    "leakyrelu": (_leaky, 0.01),
    "thresholdedrelu": (lambda e, x, alpha: e.choose(e(relax.op.greater, x, alpha), x, 0), 1.0),
    "elu": (_elu, 1.0),
    "softsign": (lambda e, x: e(relax.op.divide, x, e(relax.op.add, e(relax.op.abs, x), 1)),),
    "softplus": (_softplus,),
}
