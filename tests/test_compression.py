"""gzip that stores what does not get smaller."""

from __future__ import annotations

import gzip
import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo_magics.compression import CHUNK, GzipWriter


def packed(*pieces: bytes) -> bytes:
    raw = io.BytesIO()
    with GzipWriter(raw) as writer:
        for piece in pieces:
            writer.write(piece)
    return raw.getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_gzip_reads_what_was_written(size: int) -> None:
    data = np.random.default_rng(0).bytes(size // 2) + bytes(size - size // 2)
    assert gzip.decompress(packed(data)) == data


def test_weights_are_stored_and_text_is_compressed() -> None:
    weights = np.random.default_rng(0).standard_normal(CHUNK).astype("float32").tobytes()
    text = b"a line of text, like others\n" * (CHUNK // 7)
    assert len(weights) < len(packed(weights)) < 1.001 * len(weights)
    assert len(packed(text)) < 0.05 * len(text)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(0, 2 * CHUNK), max_size=4))
def test_the_bytes_do_not_depend_on_the_writes(cuts: list[int]) -> None:
    data = np.arange(CHUNK // 2, dtype="int32").tobytes()
    edges = [0, *sorted(cuts), len(data)]
    assert packed(*(data[begin:end] for begin, end in pairwise(edges))) == packed(data)
