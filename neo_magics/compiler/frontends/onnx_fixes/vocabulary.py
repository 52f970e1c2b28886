"""Whole numbers looked up in lists: TfIdfVectorizer and ai.onnx.ml.LabelEncoder, which TVM does not have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, cast, constant, dtype_of, shape_of

_MOST = 4096  # n-grams


def _tf_idf(node: Node) -> Any:
    """How often each n-gram of the pool is in a row, with up to max_skip_count elements left out between."""
    if "pool_int64s" not in node.attributes:
        raise node.unsupported("of text")
    x = node.tensor(0)
    shape = shape_of(x)
    if len(shape) == 1:
        x = node.emit(relax.op.reshape(x, [1, *shape]))
    rows, length = shape_of(x)
    columns: list[int] = []
    counts = []
    for column, gram in _grams(node):
        columns.append(column)
        counts.append(_occurrences(node, x, rows, length, gram))
    if not counts or len(counts) > _MOST:
        raise node.unsupported(f"with {len(counts)} n-grams; at most {_MOST}")
    width = max(node.attributes["ngram_indexes"]) + 1
    spread = np.zeros((len(columns), width), "float32")
    spread[np.arange(len(columns)), columns] = 1
    found = node.emit(relax.op.matmul(node.emit(relax.op.stack(counts, 1)), constant(spread)))
    result = _weighted(node, found, width)
    return node.emit(relax.op.reshape(result, [width])) if len(shape) == 1 else result


def _grams(node: Node) -> Iterator[tuple[int, list[int]]]:
    """The n-grams of the wanted lengths, each with its column."""
    pool, starts = node.attributes["pool_int64s"], node.attributes["ngram_counts"]
    number = 0
    for size, (begin, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True), 1):
        for place in range(begin, end, size):
            if node.attributes["min_gram_length"] <= size <= node.attributes["max_gram_length"]:
                yield node.attributes["ngram_indexes"][number], pool[place : place + size]
            number += 1


def _occurrences(node: Node, x: Any, rows: Any, length: int, gram: list[int]) -> Any:
    """How often `gram` is in each row, as a float32 [rows]."""
    skips = 1 if len(gram) == 1 else int(node.attributes["max_skip_count"]) + 1
    total = node.emit(relax.op.zeros(relax.ShapeExpr([rows]), "float32"))
    for step in range(1, skips + 1):
        span = length - step * (len(gram) - 1)
        if span <= 0:
            continue
        met = None
        for k, word in enumerate(gram):
            part = node.emit(relax.op.strided_slice(x, [1], [k * step], [k * step + span]))
            same = node.emit(relax.op.equal(part, relax.const(word, dtype_of(x))))
            met = same if met is None else node.emit(relax.op.logical_and(met, same))
        times = node.emit(relax.op.sum(cast(node, met, "float32"), [1]))
        total = node.emit(relax.op.add(total, times))
    return total


def _weighted(node: Node, counts: Any, width: int) -> Any:
    mode = node.attributes["mode"]
    weights = np.ones(width, "float32")
    given = node.attribute("weights", [])
    for index, column in enumerate(node.attributes["ngram_indexes"] if given else []):
        weights[column] = (
            given[index] if len(given) == len(node.attributes["ngram_indexes"]) else given[column]
        )
    if mode == "IDF":
        counts = cast(node, node.emit(relax.op.greater(counts, relax.const(0, "float32"))), "float32")
    return counts if mode == "TF" else node.emit(relax.op.multiply(counts, constant(weights)))


def _label_encoder(node: Node) -> Any:
    """Numbers for numbers; text is refused."""
    keys, values = _listed(node, "keys"), _listed(node, "values")
    if keys is None or values is None:
        raise node.unsupported("of text")
    x = node.tensor(0)
    default = node.attributes.get("default_tensor")
    if default is not None:
        import onnx

        fallback = onnx.numpy_helper.to_array(default).reshape(())
    else:
        kind = "float" if values.dtype.kind == "f" else "int64"
        fallback = np.array(node.attribute(f"default_{kind}", -0.0 if kind == "float" else -1))
    known = constant(keys.astype(dtype_of(x)))
    wide = node.emit(relax.op.expand_dims(x, [-1]))
    same = node.emit(relax.op.equal(wide, known))
    if keys.dtype.kind == "f" and np.isnan(keys).any():
        nan = node.emit(relax.op.logical_and(node.emit(relax.op.isnan(wide)), constant(np.isnan(keys))))
        same = node.emit(relax.op.logical_or(same, nan))
    flags = cast(node, same, "int32")
    place = node.emit(relax.op.argmax(flags, axis=-1))
    found = node.emit(relax.op.take(constant(values), place, 0, mode="clip"))
    hit = node.emit(relax.op.greater(node.emit(relax.op.max(flags, [-1])), relax.const(0, "int32")))
    return relax.op.where(hit, found, constant(fallback.astype(values.dtype)))


def _listed(node: Node, what: str) -> Any:
    """The keys or values, None where they are text."""
    if f"{what}_tensor" in node.attributes:
        import onnx

        found = onnx.numpy_helper.to_array(node.attributes[f"{what}_tensor"])
        return found if found.dtype.kind in "iuf" else None
    for kind, dtype in (("int64s", "int64"), ("floats", "float32")):
        if f"{what}_{kind}" in node.attributes:
            return np.array(node.attributes[f"{what}_{kind}"], dtype)
    return None


CONVERTERS = {"TfIdfVectorizer": _tf_idf, "ai.onnx.ml.LabelEncoder": _label_encoder}
