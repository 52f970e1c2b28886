"""exp, erf, tanh and sigmoid for float32 as arithmetic, so that they run on whole vectors.

LLVM has no vector form of them and would call the C library for each element. Relative errors stay below
4e-7, a few units in the last place; NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvm import tirx

from neo_magics.compiler.kernels.arithmetic import ROUND, bind, clamped, float32, horner

# (e^r - 1 - r) / r² for r in [-ln 2 / 2, ln 2 / 2], highest power first: minimax by Lawson's iteration,
# to 3e-9 of e^r; for the sigmoid, where 1 is added, to 1e-7.
_EXP = (1.3814540106e-3, 8.3687451362e-3, 4.1668390787e-2, 1.6666520399e-1, 4.9999993432e-1)
_SIGMOID = (-8.3125012968e-3, 4.1890331715e-2, -1.6667115389e-1, 4.9999230308e-1)  # of -r
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # two parts, so that n · ln 2 is exact enough
_LOG2_E = 1.44269504088896341
_EXP_RANGE = (-87.5, 89.0)  # beyond: 0 and infinity; so are the numbers too small to be normal
_SIGMOID_RANGE = (-87.0, 87.0)  # beyond: less than 2e-38 from 0 and 1
_SINH_TERMS = 9  # x¹⁹ / 19! is below what a float64 beside 1 can hold
# 2ʳ for r in [-1/2, 1/2], the least relative error of degree 5 (a Remez fit): 9e-8. Highest power first.
_EXP2 = (
    1.3264727213607376e-3, 9.671512812491083e-3, 5.5507337448248e-2, 2.40222420826775e-1, 6.9314697759733e-1,
)  # fmt: skip
_EXP_LOWEST = -88.1  # times log₂ e it rounds to -127, whose power counts as 0

# erf and tanh: the rational approximations of Eigen and XLA, in x², highest power first; x is clamped.
_ERF_NUMERATOR = (
    -2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
    -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02,
)  # fmt: skip
_ERF_DENOMINATOR = (
    -1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
    -1.42647390514189e-02,
)  # fmt: skip
_ERF_LIMIT = 4.0
_TANH_NUMERATOR = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
_TANH_DENOMINATOR = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
_TANH_LIMIT = 7.90531110763549805


def exp(x: Any) -> Any:
    """eˣ = 2ⁿ · e^r, as 2 e^r · 2ⁿ⁻¹ so that the upper end of the range comes out right."""
    return bind(clamped(x, *map(float32, _EXP_RANGE)), _exp_of)


def exp_below(x: Any) -> Any:
    """eˣ of x ≤ 0, in two thirds of the operations: the exponents of a soft-max."""

    def powered(clamped: Any) -> Any:
        return bind(clamped * float32(_LOG2_E) + float32(ROUND), lambda shifted: of(clamped, shifted))

    def of(clamped: Any, shifted: Any) -> Any:
        r = clamped * float32(_LOG2_E) - (shifted - float32(ROUND))
        return bind(r, lambda v: (horner(v, _EXP2) * v + float32(1)) * _power(shifted, 127))

    return bind(tirx.max(float32(_EXP_LOWEST), x), powered)


def erf(x: Any) -> Any:
    """The error function."""
    return _rational(x, _ERF_LIMIT, _ERF_NUMERATOR, _ERF_DENOMINATOR)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return _rational(x, _TANH_LIMIT, _TANH_NUMERATOR, _TANH_DENOMINATOR)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), where e⁻ˣ = 2ⁿ · e^-r."""

    def powered(v: Any, shifted: Any) -> Any:
        n = shifted - float32(ROUND)
        rest = v + n * float32(_LN2_HIGH) + n * float32(_LN2_LOW)
        power = bind(rest, lambda r: horner(r, _SIGMOID) * r * r - r + float32(1))
        return float32(1) / (power * _power(shifted, 127) + float32(1))

    return bind(
        clamped(x, *map(float32, _SIGMOID_RANGE)),
        lambda v: bind(v * float32(-_LOG2_E) + float32(ROUND), lambda shifted: powered(v, shifted)),
    )


def cosh(x: Any) -> Any:
    """(eˣ + e⁻ˣ) / 2, of any float: TVM has no code for it."""
    return bind(x, lambda v: (tirx.exp(v) + tirx.exp(-v)) * tirx.const(0.5, v.ty.dtype))


def sinh(x: Any) -> Any:
    """(eˣ - e⁻ˣ) / 2; below 1, where the two cancel, the power series."""

    def of(v: Any) -> Any:
        def constant(value: float) -> Any:
            return tirx.const(value, v.ty.dtype)

        series = constant(1.0)
        for step in range(_SINH_TERMS, 0, -1):
            series = constant(1.0) + v * v * series / constant(2 * step * (2 * step + 1))
        apart = (tirx.exp(v) - tirx.exp(-v)) * constant(0.5)
        return tirx.Select(tirx.abs(v) < constant(1.0), v * series, apart)

    return bind(x, of)


def _exp_of(x: Any) -> Any:
    def powered(shifted: Any) -> Any:
        n = shifted - float32(ROUND)
        r = x - n * float32(_LN2_HIGH) - n * float32(_LN2_LOW)
        return bind(r, lambda v: _twice(horner(v, _EXP) * v * v + v + float32(1)) * _power(shifted, 126))

    return bind(x * float32(_LOG2_E) + float32(ROUND), powered)


def _twice(value: Any) -> Any:
    return bind(value, lambda v: v + v)


def _power(shifted: Any, bias: int) -> Any:
    """2ⁿ for n + `ROUND`, or 2ⁿ⁻¹ with a bias of 126: that float's last bits, n, become an exponent."""
    n = tirx.reinterpret("int32", shifted)
    biased = tirx.shift_left(n + tirx.const(bias, "int32"), tirx.const(23, "int32"))
    return tirx.reinterpret("float32", biased)


def _rational(x: Any, limit: float, numerator: Sequence[float], denominator: Sequence[float]) -> Any:
    def quotient(v: Any) -> Any:
        return bind(v * v, lambda square: v * horner(square, numerator) / horner(square, denominator))

    return bind(clamped(x, float32(-limit), float32(limit)), quotient)
