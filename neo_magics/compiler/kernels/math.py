"""exp, erf, tanh and sigmoid for float32 as arithmetic, so that they run on whole vectors.

LLVM has no vector form of them and would call the C library for each element. Relative errors stay below
4e-7, a few units in the last place; NaN stays NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tvm
import tvm_ffi
from tvm import tirx

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
_ROUND = 12582912.0  # 1.5 · 2²³: a float plus this has no room for a fraction, so it is rounded

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
    return _let(_clamped(x, *_EXP_RANGE), _exp_of)


def exp_below(x: Any) -> Any:
    """eˣ of x ≤ 0, in two thirds of the operations: the exponents of a soft-max."""

    def powered(clamped: Any) -> Any:
        return _let(clamped * _float(_LOG2_E) + _float(_ROUND), lambda shifted: of(clamped, shifted))

    def of(clamped: Any, shifted: Any) -> Any:
        r = clamped * _float(_LOG2_E) - (shifted - _float(_ROUND))
        return _let(r, lambda v: (_horner(v, _EXP2) * v + _float(1)) * _power(shifted, 127))

    return _let(tirx.max(_float(_EXP_LOWEST), x), powered)


def erf(x: Any) -> Any:
    """The error function."""
    return _rational(x, _ERF_LIMIT, _ERF_NUMERATOR, _ERF_DENOMINATOR)


def tanh(x: Any) -> Any:
    """The hyperbolic tangent."""
    return _rational(x, _TANH_LIMIT, _TANH_NUMERATOR, _TANH_DENOMINATOR)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e⁻ˣ), where e⁻ˣ = 2ⁿ · e^-r."""

    def powered(v: Any, shifted: Any) -> Any:
        n = shifted - _float(_ROUND)
        rest = v + n * _float(_LN2_HIGH) + n * _float(_LN2_LOW)
        power = _let(rest, lambda r: _horner(r, _SIGMOID) * r * r - r + _float(1))
        return _float(1) / (power * _power(shifted, 127) + _float(1))

    return _let(
        _clamped(x, *_SIGMOID_RANGE),
        lambda v: _let(v * _float(-_LOG2_E) + _float(_ROUND), lambda shifted: powered(v, shifted)),
    )


def cosh(x: Any) -> Any:
    """(eˣ + e⁻ˣ) / 2, of any float: TVM has no code for it."""
    return _let(x, lambda v: (tirx.exp(v) + tirx.exp(-v)) * tirx.const(0.5, v.ty.dtype))


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

    return _let(x, of)


def _exp_of(x: Any) -> Any:
    def powered(shifted: Any) -> Any:
        n = shifted - _float(_ROUND)
        r = x - n * _float(_LN2_HIGH) - n * _float(_LN2_LOW)
        return _let(r, lambda v: _twice(_horner(v, _EXP) * v * v + v + _float(1)) * _power(shifted, 126))

    return _let(x * _float(_LOG2_E) + _float(_ROUND), powered)


def _twice(value: Any) -> Any:
    return _let(value, lambda v: v + v)


def _power(shifted: Any, bias: int) -> Any:
    """2ⁿ for n + `_ROUND`, or 2ⁿ⁻¹ with a bias of 126: that float's last bits, n, become an exponent."""
    n = tirx.reinterpret("int32", shifted)
    biased = tirx.shift_left(n + tirx.const(bias, "int32"), tirx.const(23, "int32"))
    return tirx.reinterpret("float32", biased)


def _clamped(x: Any, low: float, high: float) -> Any:
    """`x` within the bounds; the order of the operands is the one that lets NaN through."""
    return tirx.min(_float(high), tirx.max(_float(low), x))


def _rational(x: Any, limit: float, numerator: Sequence[float], denominator: Sequence[float]) -> Any:
    def quotient(v: Any) -> Any:
        return _let(v * v, lambda square: v * _horner(square, numerator) / _horner(square, denominator))

    return _let(_clamped(x, -limit, limit), quotient)


def _horner(x: Any, coefficients: Sequence[float]) -> Any:
    total = _float(coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + _float(coefficient)
    return total


def _let(value: Any, body: Any) -> Any:
    """`body` of a name for `value`, so that it is computed once."""
    name = tirx.Var("v", value.dtype if hasattr(value, "dtype") else value.ty)
    return tirx.Let(name, value, body(name))


def _float(value: float) -> Any:
    return tirx.const(value, "float32")


# Of any float; the others are of float32 alone.
HYPERBOLIC = {"tirx.cosh": cosh, "tirx.sinh": sinh}
EXPANSIONS = {"tirx.exp": exp, "tirx.erf": erf, "tirx.tanh": tanh, "tirx.sigmoid": sigmoid}


def keep_nan(maximum: Any) -> Any:
    """max or min of floats of which a NaN is a NaN. LLVM's comparison gives the second operand then.

    max(x, constant) becomes max(constant, x), which costs nothing; two unknown ones need a test of the first.
    """
    if not str(maximum.ty.dtype).startswith(("float", "bfloat")) or _is_constant(maximum.a):
        return maximum
    kind = type(maximum)
    if _is_constant(maximum.b):
        return kind(maximum.b, maximum.a)

    def kept(a: Any) -> Any:  # `a <= ∞` is one comparison; TVM's isnan costs ten times as much
        return tirx.Select(a <= tirx.const(math.inf, str(a.ty.dtype)), kind(a, maximum.b), a)

    plain = isinstance(maximum.a, tvm.ir.TensorLoad | tirx.Var)
    narrow = str(maximum.ty.dtype) == "bfloat16"  # which TVM widens, but not where it has a name
    return kept(maximum.a) if plain or narrow else _let(maximum.a, kept)


def larger(a: Any, b: Any) -> Any:
    """The larger of two floats in one instruction; of a NaN and a number whichever comes second."""
    return tirx.Select(a > b, a, b)


def start_at_infinity(body: Any) -> Any:
    """Statements with running maxima from -∞ and minima from ∞ on. TVM: from the largest finite numbers."""
    ends: dict[Any, float] = {}

    def note(store: Any) -> None:
        found = store.value
        if isinstance(found, tirx.Max | tirx.Min) and _reads(found, store.buffer):
            ends[store.buffer] = -math.inf if isinstance(found, tirx.Max) else math.inf

    def restart(store: Any) -> Any:
        end = ends.get(store.buffer)
        if end is None or not _is_extreme(store.value, end):
            return store
        return tirx.BufferStore(store.buffer, tirx.const(end, str(store.value.ty.dtype)), store.indices)

    tvm_ffi.structural_walk(body, (tirx.BufferStore, note), order="post")
    return tvm_ffi.structural_map(body, [(tirx.BufferStore, restart)]) if ends else body


def _reads(extreme: Any, buffer: Any) -> bool:
    parts = (extreme.a, extreme.b)
    return any(isinstance(part, tvm.ir.TensorLoad) and part.source.same_as(buffer) for part in parts)


def _is_extreme(value: Any, end: float) -> bool:
    """Whether `value` is the finite number of its dtype that is next to `end`."""
    if not _is_constant(value):
        return False
    dtype = str(value.ty.dtype)
    return bool(value.value == (tirx.min_value(dtype) if end < 0 else tirx.max_value(dtype)).value)


def _is_constant(value: Any) -> bool:
    return isinstance(value, tirx.FloatImm)


def expand(call: Any) -> Any:
    """A call of one of these on float32 as arithmetic; any other call as it is."""
    name = call.op.name if isinstance(call.op, tvm.ir.Op) else ""
    if name in HYPERBOLIC:
        return tvm_ffi.structural_map(HYPERBOLIC[name](call.args[0]), [(tvm.ir.Call, expand)])
    known = EXPANSIONS.get(name)
    return known(call.args[0]) if known and str(call.args[0].ty.dtype) == "float32" else call
