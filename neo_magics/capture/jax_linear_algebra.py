"""JAX's factorisations of small matrices and triangular systems, written out column by column in ONNX."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neo_magics.capture.jax_step import Converter, Step

MOST = 32  # rows of a matrix that is written out


def _size(step: Step) -> int:
    size = step.shapes[0][-1]
    if size > MOST:
        raise NotImplementedError(f"of matrices of more than {MOST} rows")
    return int(size)


def _column(step: Step, matrix: str, place: int) -> str:
    """[…, n, 1]"""
    return step.add("Slice", matrix, step.whole(place), step.whole(place + 1), step.whole(-1))


def _row(step: Step, matrix: str, place: int) -> str:
    """[…, 1, n]"""
    return step.add("Slice", matrix, step.whole(place), step.whole(place + 1), step.whole(-2))


def _ones(step: Step, mask: np.ndarray) -> str:
    return step.maker.constant(np.asarray(mask).astype(step.dtypes[0]))


def _factors(step: Step) -> Sequence[str]:
    """(L and U in one matrix, which row each was exchanged with, the order of rows), by partial pivoting."""
    *_outer, rows, columns = step.shapes[0]
    if rows != columns:
        raise NotImplementedError("of matrices that are not square")
    size, a = _size(step), step.inputs[0]
    places = np.arange(size)
    apart = step.whole(-1)
    order = step.add("Unsqueeze", step.maker.constant(places), apart)  # [n, 1]
    order = step.add("Expand", order, step.whole(*step.shapes[0][:-1], 1))
    exchanged = []
    for k in range(size):
        below = step.maker.constant((places >= k).reshape(size, 1))
        seen = step.add("Where", below, step.add("Abs", _column(step, a, k)), step.number(-1))
        pivot = step.add("ArgMax", seen, axis=-2, keepdims=1)  # […, 1, 1]
        exchanged.append(pivot)
        number = step.maker.constant(places.reshape(size, 1))
        here = step.add("Equal", number, pivot)
        at = step.add("Where", here, step.number(k, np.int64), number)
        at = step.add("Where", step.maker.constant((places == k).reshape(size, 1)), pivot, at)
        order = step.add("GatherElements", order, at, axis=-2 % len(step.shapes[0]))
        whole = step.add("Expand", at, step.whole(*step.shapes[0]))
        a = step.add("GatherElements", a, whole, axis=-2 % len(step.shapes[0]))
        if k == size - 1:
            continue
        top = _row(step, a, k)
        head = _column(step, top, k)
        safe = step.add("Where", step.add("Equal", head, step.number(0)), step.number(1), head)
        column = step.add("Div", _column(step, a, k), safe)
        column = step.add("Where", step.maker.constant((places > k).reshape(size, 1)), column, step.number(0))
        rest = step.add("Mul", top, _ones(step, places > k))
        a = step.add("Sub", a, step.add("Mul", column, rest))
        kept = step.maker.constant((places[:, None] > k) & (places[None, :] == k))
        a = step.add("Where", kept, column, a)
    pivots = step.add("Squeeze", step.add("Concat", *exchanged, axis=-2), apart)
    return [a, step.cast(pivots, np.int32), step.cast(step.add("Squeeze", order, apart), np.int32)]


def _cholesky(step: Step) -> str:
    """The lower factor, one column after the other; NaN where the matrix is not positive."""
    size, a = _size(step), step.inputs[0]
    places, columns = np.arange(size), []
    for k in range(size):
        head = _column(step, _row(step, a, k), k)
        column = step.add("Div", _column(step, a, k), step.add("Sqrt", head))
        column = step.add(
            "Where", step.maker.constant((places >= k).reshape(size, 1)), column, step.number(0)
        )
        columns.append(column)
        turned = step.reshape(column, [*step.shapes[0][:-2], 1, size])
        a = step.add("Sub", a, step.add("Mul", column, turned))
    return step.add("Concat", *columns, axis=-1)


def _triangular(step: Step) -> str:
    """x with a x = b, row after row; from the right side, and of a transposed matrix, by turning all."""
    params, size = step.params, _size(step)
    a, b = step.inputs
    lower, turned = bool(params["lower"]), bool(params["transpose_a"])
    swap = [*range(len(step.shapes[0]) - 2), len(step.shapes[0]) - 1, len(step.shapes[0]) - 2]
    if not params["left_side"]:  # x a = b is aᵀ xᵀ = bᵀ
        b, turned = step.transpose(b, swap), not turned
    if turned:
        a, lower = step.transpose(a, swap), not lower
    solved: dict[int, str] = {}
    for k in range(size) if lower else reversed(range(size)):
        row, left = _row(step, a, k), _row(step, b, k)
        head = _column(step, row, k)
        before = sorted(solved)
        if before:
            known = step.add("Concat", *(solved[place] for place in before), axis=-2)
            part = step.add("Slice", row, step.whole(before[0]), step.whole(before[-1] + 1), step.whole(-1))
            left = step.add("Sub", left, step.add("MatMul", part, known))
        solved[k] = left if params["unit_diagonal"] else step.add("Div", left, head)
    x = step.add("Concat", *(solved[k] for k in range(size)), axis=-2)
    return x if params["left_side"] else step.transpose(x, swap)


CONVERTERS: dict[str, Converter] = {
    "lu": _factors,
    "cholesky": _cholesky,
    "triangular_solve": _triangular,
}
