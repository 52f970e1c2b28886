"""How far two results lie apart, and how far they may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Tolerance:
    """A difference d of an output passes where |d| ≤ absolute + relative · (largest finite |reference|).

    The scale is the whole output's and not each element's: an element near zero beside others of size 1 is
    computed from numbers of size 1 and cannot be more exact than they are.
    """

    absolute: float
    relative: float

    def limit(self, scale: float) -> float:
        """The largest difference that passes for a reference of this scale."""
        return self.absolute + self.relative * scale


# By the precision that a result was computed in. The absolute part only keeps outputs that are all but zero
# from failing over rounding; it is small because whole outputs can be small (probabilities of many classes).
DEFAULT_TOLERANCES = {
    "float64": Tolerance(1e-6, 1e-4),  # kernels may use float32 functions for exp and the like
    "float32": Tolerance(1e-5, 1e-3),
    "float16": Tolerance(1e-3, 1e-2),
    "bfloat16": Tolerance(1e-3, 5e-2),
    "int8": Tolerance(1e-3, 1e-1),  # of products; it is no output's own dtype
}
EXACT = Tolerance(0.0, 0.0)  # integers and booleans


def tolerance_for(dtype: str, precision: str = "", relative: float | None = None) -> Tolerance:
    """The tolerance for an output of `dtype`, computed in `precision` where that is lower.

    A lower precision widens the relative part only: outputs can be small as a whole.

    `relative` is the user's and replaces the relative part, also for integers.
    """
    default = EXACT if dtype == "int8" else DEFAULT_TOLERANCES.get(dtype, EXACT)
    if default is not EXACT and precision in DEFAULT_TOLERANCES:
        lower = DEFAULT_TOLERANCES[precision]
        default = Tolerance(default.absolute, max(default.relative, lower.relative))
    return default if relative is None else Tolerance(default.absolute, relative)


@dataclass(frozen=True)
class Difference:
    """One output against its reference. `problem` is "" where it passes, else what is wrong.

    `max_abs` is the largest |difference|; `max_rel` the same as a share of `scale`, the largest finite
    |reference|; `limit` what `max_abs` may be. `agreement`: for an output [rows, classes], the share of rows
    whose largest element is in the reference's place.
    """

    name: str
    max_abs: float = 0.0
    max_rel: float = 0.0
    scale: float = 0.0
    limit: float = 0.0
    problem: str = ""
    agreement: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def differences(
    reference: Mapping[str, Array],
    results: Mapping[str, Array],
    *,
    precision: str = "",
    relative: float | None = None,
    rounding: Mapping[str, float] | None = None,
) -> list[Difference]:
    """One `Difference` for each output of `reference`; a missing or extra output is a problem too.

    `rounding`: what an output may be apart whatever its tolerance, where the model itself rounds (quantised).
    """
    least = rounding or {}
    found = [
        _difference(name, expected, results.get(name), precision, relative, least.get(name, 0.0))
        for name, expected in reference.items()
    ]
    extra = [name for name in results if name not in reference]
    return found + [
        Difference(name, 0.0, 0.0, 0.0, 0.0, "the source model has no such output") for name in extra
    ]


def _difference(
    name: str, expected: Array, got: Array | None, precision: str, relative: float | None, least: float
) -> Difference:
    wrong = _form_problem(expected, got)
    if got is None or wrong:
        return Difference(name, problem=wrong)
    wide_expected, wide_got = _widen(expected), _widen(got)
    finite = np.isfinite(wide_expected)
    scale = float(np.max(np.abs(wide_expected), where=finite, initial=0.0))
    limit = max(least, tolerance_for(str(expected.dtype), precision, relative).limit(scale))
    if not _same_non_finite(wide_expected, wide_got, finite):
        return Difference(name, 0.0, 0.0, scale, limit, _non_finite_problem(wide_expected, wide_got))
    apart = np.abs(np.subtract(wide_got, wide_expected, where=finite, out=np.zeros_like(wide_expected)))
    max_abs = float(np.max(apart, initial=0.0))
    problem = _size_problem(apart, max_abs, limit, scale) if max_abs > limit else ""
    share = max_abs / scale if scale else max_abs
    return Difference(name, max_abs, share, scale, limit, problem, agreement(expected, got))


def worst_of(calls: Sequence[Sequence[Difference]]) -> list[Difference]:
    """The differences of several calls as one for each output: the worst, with the agreement of all."""
    worst = []
    for each in zip(*calls, strict=True):
        agreed = [difference.agreement for difference in each if difference.agreement is not None]
        found = max(each, key=lambda difference: (bool(difference.problem), difference.max_rel))
        worst.append(replace(found, agreement=float(np.mean(agreed)) if agreed else None))
    return worst


def agreement(expected: Array, got: Array) -> float | None:
    """The share of rows that name the same class, for floats of two dimensions; else None."""
    if expected.ndim != 2 or expected.dtype.kind != "f" or min(expected.shape) < 1 or expected.shape[1] < 2:
        return None
    return float(np.mean(expected.argmax(axis=1) == got.argmax(axis=1)))


def _form_problem(expected: Array, got: Array | None) -> str:
    if got is None:
        return "the compiled model has no such output"
    if got.shape != expected.shape:
        return f"shape {list(got.shape)} in place of {list(expected.shape)}"
    if got.dtype != expected.dtype:
        return f"dtype {got.dtype} in place of {expected.dtype}"
    return ""


def _widen(array: Array) -> Array:
    """In a type that holds the differences: 64-bit floating or complex numbers."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _same_non_finite(expected: Array, got: Array, finite: Array) -> bool:
    """Where the reference is infinite or not a number, the result is the same; elsewhere it is finite."""
    return bool(
        np.all(np.isfinite(got) == finite) and np.array_equal(expected[~finite], got[~finite], equal_nan=True)
    )


def _non_finite_problem(expected: Array, got: Array) -> str:
    counts = [
        f"{int(np.sum(test(got)))} {word} (source: {int(np.sum(test(expected)))})"
        for word, test in (("NaN", np.isnan), ("infinite", np.isinf))
        if np.any(test(got)) or np.any(test(expected))
    ]
    return f"{' and '.join(counts)} of {got.size} values"


def _size_problem(apart: Array, max_abs: float, limit: float, scale: float) -> str:
    share = float(np.mean(apart > limit))
    return (
        f"largest difference {max_abs:.3g} where {limit:.3g} is allowed ({share:.1%} of the values are over; "
        f"largest value {scale:.3g})"
    )
