"""gzip for archives of weights: what does not get smaller is stored as it is, in a fiftieth of the time."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import IO

CHUNK = 1 << 20  # bytes that become one gzip member
_SAMPLE = 1 << 14  # bytes of a chunk that tell whether the rest gets smaller
_WORTH = 0.85  # of their size; float weights come to 0.93
_FAST, _STORED = 1, 0  # zlib's levels


class GzipWriter(io.BufferedIOBase):
    """Writes gzip to `raw`, which stays open: one member for each `CHUNK` (RFC 1952 joins them).

    The bytes depend only on what is written, not on how it is cut into writes.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._waiting = bytearray()
        self._members = 0
        self._taken = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Bytes taken so far, before compression."""
        return self._taken

    def write(self, data: object) -> int:
        """Take `data`, and compress as many chunks as are full."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        self._waiting += view
        self._taken += len(view)
        while len(self._waiting) >= CHUNK:
            self._put(bytes(self._waiting[:CHUNK]))
            del self._waiting[:CHUNK]
        return len(view)

    def close(self) -> None:
        """Write what is left; nothing at all still makes a member."""
        if not self.closed and (self._waiting or not self._members):
            self._put(bytes(self._waiting))
            self._waiting.clear()
        super().close()

    def _put(self, chunk: bytes) -> None:
        self._raw.write(gzip.compress(chunk, _level(chunk), mtime=0))
        self._members += 1


def _level(chunk: bytes) -> int:
    sample = chunk[:_SAMPLE]
    return _FAST if len(zlib.compress(sample, _FAST)) < _WORTH * len(sample) else _STORED
