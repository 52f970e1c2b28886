"""sin and cos of float32 as arithmetic: the angle is brought into [-π/4, π/4] in float64.

Errors stay below 2e-7 for angles up to 1e9. Beyond, where two neighbouring floats are many turns apart, the
results are some number within [-1, 1].
"""

from __future__ import annotations

from typing import Any

from tvm import tirx

from neo_magics.compiler.kernels.arithmetic import bind, clamped, float32, horner

# (sin r / r - 1) / r² and (cos r - 1 + r² / 2) / r⁴ in r², highest power first: minimax by Lawson's
# iteration, to 4e-9 and 1e-10.
_SIN = (-1.9517298882e-4, 8.3321781452e-3, -1.6666654944e-1)
_COS = (2.4438451421e-5, -1.3887367514e-3, 4.1666646866e-2)
_TWO_OVER_PI = 0.6366197723675814
_QUARTER_HIGH, _QUARTER_LOW = 1.5707963267341256, 6.077100506506192e-11  # π/2; the first has 33 bits
_ROUND = 6755399441055744.0  # 1.5 · 2⁵²: a float64 plus this has no room for a fraction


def sin(x: Any) -> Any:
    """The sine of x in radians."""
    return _turned(x, 0)


def cos(x: Any) -> Any:
    """The cosine of x in radians: the sine a quarter of a turn on."""
    return _turned(x, 1)


def _turned(x: Any, quarters: int) -> Any:
    def rounded(angle: Any) -> Any:
        shifted = angle * _float64(_TWO_OVER_PI) + _float64(_ROUND)
        return bind(shifted, lambda v: bind(v - _float64(_ROUND), lambda n: of(angle, n)))

    def of(angle: Any, n: Any) -> Any:
        rest = angle - n * _float64(_QUARTER_HIGH) - n * _float64(_QUARTER_LOW)
        r = tirx.Cast("float32", clamped(rest, _float64(-0.8), _float64(0.8)))
        return bind(tirx.Cast("int32", n) + tirx.const(quarters, "int32"), lambda q: _quadrant(r, q))

    return bind(tirx.Cast("float64", x), rounded)


def _quadrant(rest: Any, quarter: Any) -> Any:
    """± sin r or ± cos r, by the last two bits of the quarter."""

    def of(r: Any, square: Any) -> Any:
        sine = r * square * horner(square, _SIN) + r
        cosine = square * square * horner(square, _COS) - square * float32(0.5) + float32(1)
        return bind(
            tirx.Select(_bit(quarter, 1), cosine, sine), lambda v: tirx.Select(_bit(quarter, 2), -v, v)
        )

    return bind(rest, lambda r: bind(r * r, lambda square: of(r, square)))


def _bit(value: Any, mask: int) -> Any:
    return tirx.NE(tirx.bitwise_and(value, tirx.const(mask, "int32")), tirx.const(0, "int32"))


def _float64(value: float) -> Any:
    return tirx.const(value, "float64")
