"""DFT and STFT as products with a matrix of cosines and sines; TVM's importer has neither."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)

_LARGEST = 2**26  # elements of a matrix


def _dft(node: Node) -> Any:
    """Along one axis; the last one has one part (real) or two."""
    x = node.tensor(0)
    shape = shape_of(x)
    axis = (
        node.known(2, "an axis")[0] if node.has(2) else node.attribute("axis", 1 if node.opset < 20 else -2)
    )
    axis = normal_axis(int(axis), len(shape))
    inverse, onesided = (bool(node.attribute(name, 0)) for name in ("inverse", "onesided"))
    size = shape[axis]
    if not isinstance(size, int):
        raise node.unsupported("along a free dimension")
    default = 2 * (size - 1) if inverse and onesided else size
    length = int(node.known(1, "a length")[0]) if node.has(1) else default
    matrix = _matrix(node, min(size, length), shape[-1], length, inverse=inverse, onesided=onesided)
    rank = len(shape)
    order = [k for k in range(rank - 1) if k != axis] + [axis, rank - 1]
    x = node.emit(relax.op.permute_dims(x, order))
    if size > length:
        x = node.emit(relax.op.strided_slice(x, [rank - 2], [0], [length]))
    result = _product(node, x, matrix)
    return relax.op.permute_dims(result, [order.index(k) for k in range(rank)])


def _stft(node: Node) -> Any:
    """STFT (signal [batch, length, parts], step, window, frame length) → [batch, frames, bins, 2]."""
    x, step = node.tensor(0), int(node.known(1, "a step")[0])
    batch, size, parts = shape_of(x)
    window = node.tensor(2) if node.has(2) else None
    length = int(node.known(3, "a frame length")[0]) if node.has(3) else shape_of(window)[0]
    if not isinstance(size, int) or (window is not None and shape_of(window)[0] != length):
        raise node.unsupported("with a free length, or a window that is not as long as a frame")
    frames = 1 + (size - length) // step
    places = (np.arange(frames)[:, None] * step + np.arange(length)[None, :]).astype("int64")
    cut = node.emit(relax.op.take(x, constant(places.ravel()), 1, mode="clip"))
    cut = node.emit(relax.op.reshape(cut, [batch, frames, length, parts]))
    if window is not None:
        weights = node.emit(relax.op.reshape(cast(node, window, dtype_of(x)), [length, 1]))
        cut = node.emit(relax.op.multiply(cut, weights))
    onesided = bool(node.attribute("onesided", 1))
    return _product(node, cut, _matrix(node, length, parts, length, inverse=False, onesided=onesided))


def _product(node: Node, x: Any, matrix: Any) -> Any:
    """x [..., size, parts] times matrix [size, parts, bins, parts of the result]."""
    shape, (size, parts, bins, results) = shape_of(x), matrix.shape
    flat = node.emit(relax.op.reshape(x, [*shape[:-2], size * parts]))
    weights = constant(matrix.reshape(size * parts, bins * results).astype(dtype_of(x)))
    return node.emit(
        relax.op.reshape(node.emit(relax.op.matmul(flat, weights)), [*shape[:-2], bins, results])
    )


def _matrix(node: Node, size: int, parts: int, length: int, *, inverse: bool, onesided: bool) -> Any:
    """[size, parts, bins, parts of the result] of a transform of `length`, of which `size` are given."""
    half = length // 2 + 1
    back = inverse and onesided  # from one side of the spectrum to real numbers
    rows = min(size, half) if back else size
    bins = length if back or not onesided else half
    if rows * bins * parts * 2 > _LARGEST:
        raise node.unsupported(f"of a length of {length}, which is too much for a matrix")
    angles = 2 * np.pi * np.outer(np.arange(rows), np.arange(bins)) / length
    waves = np.exp((1j if inverse else -1j) * angles) / (length if inverse else 1)
    if back:
        twice = np.full(rows, 2.0)
        twice[0] = 1
        if length % 2 == 0 and rows == half:
            twice[-1] = 1
        waves = waves * twice[:, None]
    real = [waves.real, waves.imag]  # of a real part, the result's parts
    imaginary = [-waves.imag, waves.real]
    stacked = np.stack([np.stack(each[: 1 if back else 2], -1) for each in (real, imaginary)[:parts]], 1)
    missing = size - rows
    return np.concatenate([stacked, np.zeros((missing, *stacked.shape[1:]))]) if missing else stacked


CONVERTERS = {"DFT": _dft, "STFT": _stft}
