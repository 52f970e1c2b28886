"""Element by element: functions that TVM lacks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def rewrites() -> dict[Any, Callable[..., Any]]:
    """PyTorch's own decompositions that torch.export does not apply, and ours."""
    import torch

    aten, known = torch.ops.aten, torch._decomp.decomposition_table
    taken = (aten.addmv.default, aten.ldexp.Tensor)
    return {
        **{operator: known[operator] for operator in taken},
        aten.copysign.Tensor: _copysign,
        aten.erfinv.default: _erfinv,
        aten.fmax.default: lambda x, y: _either(torch.maximum, x, y),
        aten.fmin.default: lambda x, y: _either(torch.minimum, x, y),
        aten.heaviside.default: _heaviside,
        aten.isnan.default: _isnan,
        aten.pow.Tensor_Scalar: _pow,
        aten.rrelu.default: _rrelu,
    }


def _copysign(x: Any, y: Any) -> Any:
    """`x` with the sign of `y`; that of -0 and of NaN is taken for plus."""
    import torch

    common = torch.result_type(x, y)
    x = x.to(common if common.is_floating_point else torch.get_default_dtype())
    return torch.where(y < 0, -x.abs(), x.abs())


def _either(choose: Callable[..., Any], x: Any, y: Any) -> Any:
    """The maximum or minimum, of a NaN and a number the number."""
    import torch

    return torch.where(x.isnan(), y, torch.where(y.isnan(), x, choose(x, y)))


def _heaviside(x: Any, at_zero: Any) -> Any:
    import torch

    return torch.where(x == 0, at_zero, (x > 0).to(x.dtype))


def _isnan(x: Any) -> Any:
    """Of bfloat16 by way of float32: TVM has no test of it."""
    import torch

    return x.float().isnan() if x.dtype == torch.bfloat16 else NotImplemented


def _rrelu(
    x: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None  # noqa: ARG001
) -> Any:  # fmt: skip
    """In evaluation mode a leaky ReLU with the mean slope; in training it is random."""
    import torch

    return NotImplemented if training else torch.where(x >= 0, x, x * ((lower + upper) / 2))


def _pow(x: Any, exponent: Any) -> Any:
    """As PyTorch, which takes roots for these exponents: of -∞ they are NaN, C's power is not.

    Powers of bfloat16, which TVM has not, by way of float32, with the exponent rounded as well.
    """
    import torch

    if x.dtype == torch.bfloat16:
        mantissa, power = math.frexp(exponent)
        return (x.float() ** math.ldexp(round(mantissa * 256), power - 8)).bfloat16()
    if exponent not in (0.5, -0.5) or not x.is_floating_point():
        return NotImplemented
    return x.sqrt() if exponent > 0 else x.rsqrt()


def _erfinv(x: Any) -> Any:
    """Two polynomials (Giles, "Approximating the erfinv function", 2010), relative error 4e-7."""
    import torch

    w = -torch.log((1 - x) * (1 + x))
    middle, outer = _polynomial(w - 2.5, _MIDDLE), _polynomial(w.clamp(min=5).sqrt() - 3, _OUTER)
    inside = torch.where(w < 5, middle, outer) * x
    return torch.where(x.abs() == 1, x * float("inf"), inside)


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    total: Any = coefficients[0]
    for each in coefficients[1:]:
        total = total * x + each
    return total


_MIDDLE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
           -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
_OUTER = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
          0.00943887047, 1.00167406, 2.83297682)  # fmt: skip
