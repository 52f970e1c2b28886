"""Logarithms of float32, and powers whose exponent is a known multiple of a quarter, as arithmetic.

Relative errors stay below 4e-7. The range is that of the C library: subnormal numbers, 0, infinity and NaN
included.
"""

from __future__ import annotations

import math
from typing import Any

from tvm import tirx

from neo_magics.compiler.kernels.arithmetic import bind, float32, horner

# (log(1 + r) - r + r² / 2) / r³ for r in [√½ - 1, √2 - 1], highest power first: minimax by Lawson's
# iteration, to 8e-10 of the logarithm.
_LOG = (
    6.7466382656e-2, -1.1675651207e-1, 1.1888162971e-1, -1.2405589064e-1, 1.4219552278e-1,
    -1.6667995843e-1, 2.0002118663e-1, -2.5000009600e-1, 3.3333312604e-1,
)  # fmt: skip
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4  # two parts, so that n · ln 2 is exact enough
_ROOT_HALF = 0x3F3504F3  # the bits of √½
_SMALLEST = 2.0**-126  # of the normal numbers
_QUARTERS = 32  # exponents up to 8 are multiplications


def log(x: Any) -> Any:
    """The natural logarithm: x = 2ⁿ · (1 + r), so n · ln 2 + log(1 + r)."""
    return bind(x, lambda v: _ends(v, bind(_normal(v), _log_of)))


def log2(x: Any) -> Any:
    """The logarithm to base 2."""
    return log(x) * float32(1 / math.log(2))


def log10(x: Any) -> Any:
    """The logarithm to base 10."""
    return log(x) * float32(1 / math.log(10))


def log1p(x: Any) -> Any:
    """log(1 + x); what 1 + x loses of x is put back."""

    def of(v: Any, u: Any) -> Any:
        return bind((v - (u - float32(1))) / u, lambda lost: log(u) + added(lost))

    def added(lost: Any) -> Any:
        return tirx.Select(tirx.abs(lost) < float32(1), lost, float32(0))

    return bind(x, lambda v: bind(v + float32(1), lambda u: of(v, u)))


def power(x: Any, exponent: Any) -> Any | None:
    """x to an exponent that is known: products and square roots; None for any other."""
    if not isinstance(exponent, tirx.FloatImm) or not str(x.ty.dtype).startswith("float"):
        return None
    quarters = 4 * float(exponent.value)
    if quarters != int(quarters) or abs(quarters) > _QUARTERS:
        return None
    return bind(x, lambda v: _signed(v, int(quarters)))


def _signed(x: Any, quarters: int) -> Any:
    one = tirx.const(1, x.ty.dtype)
    whole, rest = divmod(abs(quarters), 4)
    size = _times(x, whole)
    if rest:
        root = bind(tirx.sqrt(x), lambda v: {1: tirx.sqrt(v), 2: v, 3: v * tirx.sqrt(v)}[rest])
        size = root if whole == 0 else size * root
    return one / size if quarters < 0 else size


def _times(x: Any, count: int) -> Any:
    """x multiplied `count` times, by squares."""
    if count < 2:
        return x if count else tirx.const(1, x.ty.dtype)
    half = bind(_times(x, count // 2), lambda v: v * v)
    return half * x if count % 2 else half


def _normal(x: Any) -> Any:
    """x, or 2²⁵ · x for one that is too small to be normal."""
    return tirx.Select(x < float32(_SMALLEST), x * float32(2.0**25), x)


def _log_of(x: Any) -> Any:
    bits = tirx.reinterpret("int32", x)
    return bind(
        tirx.shift_right(bits - tirx.const(_ROOT_HALF, "int32"), tirx.const(23, "int32")),
        lambda n: _parts(bits, n),
    )


def _parts(bits: Any, n: Any) -> Any:
    mantissa = tirx.reinterpret("float32", bits - tirx.shift_left(n, tirx.const(23, "int32")))
    exponent = tirx.Cast("float32", n)

    def of(r: Any) -> Any:
        series = r * r * (r * horner(r, _LOG) - float32(0.5)) + r
        return exponent * float32(_LN2_HIGH) + (exponent * float32(_LN2_LOW) + series)

    return bind(mantissa - float32(1), of)


def _ends(x: Any, value: Any) -> Any:
    """`value`, the logarithm of x > 0 but for the scaling of small ones, and what the others have."""

    def of(v: Any) -> Any:
        scaled = tirx.Select(x < float32(_SMALLEST), v - float32(25 * math.log(2)), v)
        positive = tirx.Select(x < tirx.infinity("float32"), scaled, x)
        nothing = tirx.Select(tirx.EQ(x, float32(0)), -tirx.infinity("float32"), float32(math.nan))
        return tirx.Select(x > float32(0), positive, nothing)

    return bind(value, of)
