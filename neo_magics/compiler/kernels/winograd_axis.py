"""The transforms of a Winograd convolution along one axis, as matrices and as expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from tvm import tirx

# Where the polynomials are evaluated: 0, pairs ±p, and infinity. Small numbers keep the sums exact.
_PAIRS = (1.0, 2.0)
Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """F(m, r) for r of a window's taps: `outputs` m from `size` inputs with as many multiplications."""

    outputs: int
    taps: int

    @property
    def size(self) -> int:
        """Inputs of a tile, and multiplications for it."""
        return self.outputs + self.taps - 1

    @cached_property
    def points(self) -> tuple[float, ...]:
        """The finite points; infinity comes last."""
        pairs = [sign * p for p in _PAIRS for sign in (1, -1)]
        return (0.0, *pairs)[: self.size - 1]

    @cached_property
    def data(self) -> Matrix:
        """Bᵀ: the row of a point holds the polynomial that vanishes at all other points."""
        if self.taps == 1:
            return np.eye(self.size)
        rows = np.zeros((self.size, self.size))
        for row, point in enumerate((*self.points, None)):
            others = [p for p in self.points if p != point]
            polynomial = np.poly(others)[::-1]
            rows[row, : polynomial.size] = polynomial
        return rows

    @cached_property
    def weight(self) -> Matrix:
        """G: the window as a polynomial, at each point, scaled."""
        if self.taps == 1:
            return np.ones((self.size, 1))
        scales = [np.prod([p - q for q in self.points if q != p]) for p in self.points]
        finite = [
            [p**k / scale for k in range(self.taps)] for p, scale in zip(self.points, scales, strict=True)
        ]
        return np.array([*finite, [0.0] * (self.taps - 1) + [1.0]])

    @cached_property
    def result(self) -> Matrix:
        """Aᵀ: powers of the points."""
        if self.taps == 1:
            return np.eye(self.size)
        powers = [[p**k for p in self.points] for k in range(self.outputs)]
        last = [float(k == self.outputs - 1) for k in range(self.outputs)]
        return np.column_stack([np.array(powers), np.array(last)])

    def to_points(self, values: Sequence[Any]) -> list[Any]:
        """Bᵀ d as expressions; the rows of p and -p share their halves, which LLVM computes once."""
        return [_halves(row, values, [k % 2 == 0 for k in range(self.size)]) for row in self.data]

    def to_results(self, values: Sequence[Any]) -> list[Any]:
        """Aᵀ m as expressions; the sums and differences of pairs are shared."""
        pairs = [(k, k + 1) for k in range(1, self.size - 2, 2)] if self.taps > 1 else []
        return [_paired(row, values, pairs) for row in self.result]


@dataclass(frozen=True)
class Axis:
    """The transforms along one axis: `outputs` results of a tile, for a window with `taps`.

    The window is cut into parts, each a convolution with stride 1 of its own, whose products are summed up by
    the result's transform. With `stride` s a part takes every s-th tap, and every s-th input. A window that
    would need too many points takes its taps in runs of `longest` at most.
    """

    outputs: int
    taps: int
    stride: int = 1
    longest: int = 5

    @cached_property
    def parts(self) -> tuple[tuple[int, Part], ...]:
        """(first tap, part)."""
        if self.stride > 1:
            counts = [(k, len(range(k, self.taps, self.stride))) for k in range(self.stride)]
        else:
            runs = -(-self.taps // self.longest)
            even = -(-self.taps // runs)
            counts = [(k, min(even, self.taps - k)) for k in range(0, self.taps, even)]
        return tuple((first, Part(self.outputs, count)) for first, count in counts if count)

    @property
    def size(self) -> int:
        """Multiplications for a tile."""
        return sum(part.size for _first, part in self.parts)

    @property
    def span(self) -> int:
        """Inputs of a tile."""
        return (self.outputs - 1) * self.stride + self.taps

    @property
    def step(self) -> int:
        """Inputs from a tile to the next."""
        return self.outputs * self.stride

    @cached_property
    def weight(self) -> Matrix:
        """G of all parts."""
        rows = []
        for first, part in self.parts:
            own = np.zeros((part.size, self.taps))
            own[:, first : first + part.taps * self.stride : self.stride] = part.weight
            rows.append(own)
        return np.concatenate(rows)

    def to_points(self, values: Sequence[Any]) -> list[Any]:
        """Bᵀ d of `span` values, part by part."""
        points = []
        for first, part in self.parts:
            points += part.to_points(values[first :: self.stride][: part.size])
        return points

    def to_results(self, values: Sequence[Any]) -> list[Any]:
        """Aᵀ m of `size` products, summed over the parts."""
        totals: list[Any] = []
        for _first, part in self.parts:
            own, values = part.to_results(values[: part.size]), values[part.size :]
            totals = [a + b for a, b in zip(totals, own, strict=True)] if totals else own
        return totals


def _halves(row: Matrix, values: Sequence[Any], even: Sequence[bool]) -> Any:
    """Σ row · values, the even places first: p and -p differ in the sign of the odd ones."""
    first = _combined([(f, x) for f, x, e in zip(row, values, even, strict=True) if f and e])
    odd = [(float(f), x) for f, x, e in zip(row, values, even, strict=True) if f and not e]
    if first is None or not odd:
        return first if first is not None else _combined(odd)
    negative = odd[-1][0] < 0
    second = _combined([(-f if negative else f, x) for f, x in odd])
    return first - second if negative else first + second


def _paired(row: Matrix, values: Sequence[Any], pairs: Sequence[tuple[int, int]]) -> Any:
    """Σ row · values where the places of a pair have factors that are equal or opposite."""
    terms: list[tuple[float, Any]] = []
    paired = {k for pair in pairs for k in pair}
    terms += [
        (float(f), x) for k, (f, x) in enumerate(zip(row, values, strict=True)) if f and k not in paired
    ]
    for a, b in pairs:
        both = values[a] + values[b] if row[a] == row[b] else values[a] - values[b]
        terms.append((float(row[a]), both))
    return _combined(terms)


def _combined(terms: Sequence[tuple[float, Any]]) -> Any:
    """The sum of factor · value; a factor of 1 multiplies nothing."""
    total = None
    for factor, value in sorted(terms, key=lambda term: abs(term[0])):
        scaled = value if abs(factor) == 1 else value * tirx.const(abs(float(factor)), "float32")
        if total is None:
            total = scaled if factor > 0 else tirx.const(0.0, "float32") - scaled
        else:
            total = total + scaled if factor > 0 else total - scaled
    return total
