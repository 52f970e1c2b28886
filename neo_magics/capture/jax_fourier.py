"""JAX's fft as products with matrices of cosines and sines, on the parts of complex numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neo_magics.capture.jax_step import Step

_FORWARD, _BACK, _FROM_REAL, _TO_REAL = range(4)  # XLA's fft_type
_LARGEST = 2**24  # elements of a matrix
Matrix = np.ndarray[tuple[int, ...], np.dtype[np.complex128]]


def transformed(step: Step, parts: Sequence[str]) -> Sequence[str]:
    """The parts of the transform along the last axes, `fft_lengths` of them; one part where it is real."""
    lengths = [int(length) for length in step.params["fft_lengths"]]
    kind, rank = int(step.params["fft_type"]), len(step.shapes[0])
    axes = list(range(rank - len(lengths), rank))
    order = list(zip(axes, lengths, strict=True))
    if kind == _TO_REAL:  # the axis that has half of the spectrum comes last
        for axis, length in order[:-1]:
            parts = _along(step, parts, axis, _waves(length, _BACK))
        return _along(step, parts, axes[-1], _waves(lengths[-1], _TO_REAL), keep=1)
    for axis, length in reversed(order):
        own = _FORWARD if kind == _FROM_REAL and axis != axes[-1] else kind
        parts = _along(step, parts, axis, _waves(length, own))
    return parts


def _waves(length: int, kind: int) -> Matrix:
    """[places given, places of the result] of one axis."""
    half = length // 2 + 1
    rows = half if kind == _TO_REAL else length
    columns = half if kind == _FROM_REAL else length
    if rows * columns > _LARGEST:
        raise NotImplementedError(f"of a length of {length}, which is too much for a matrix")
    turns = np.outer(np.arange(rows), np.arange(columns)) % max(length, 1)
    back = kind in (_BACK, _TO_REAL)
    waves = np.exp((2j if back else -2j) * np.pi * turns / length) / (length if back else 1)
    if kind == _TO_REAL:  # the other half of the spectrum is this one's mirror
        twice = np.full((rows, 1), 2.0)
        twice[0] = 1
        if length % 2 == 0:
            twice[-1] = 1
        waves = waves * twice
    return np.asarray(waves)


def _along(step: Step, parts: Sequence[str], axis: int, waves: Matrix, keep: int = 2) -> Sequence[str]:
    """The first `keep` parts of the product of one axis with `waves`."""
    last = len(step.shapes[0]) - 1
    swapped = [*range(axis), last, *range(axis + 1, last), axis] if axis != last else list(range(last + 1))
    real, imag = (step.maker.constant(part.astype(step.dtypes[0])) for part in (waves.real, waves.imag))
    moved = [step.transpose(part, swapped) for part in parts]
    results = [step.add("MatMul", moved[0], real), step.add("MatMul", moved[0], imag)][:keep]
    if len(moved) > 1:
        results[0] = step.add("Sub", results[0], step.add("MatMul", moved[1], imag))
    if len(moved) > 1 and keep > 1:
        results[1] = step.add("Add", results[1], step.add("MatMul", moved[1], real))
    return [step.transpose(result, swapped) for result in results]
