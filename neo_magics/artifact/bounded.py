"""A forward-only view of an expanded archive that stops before it fills memory or the disk."""

from __future__ import annotations

import io
from typing import Protocol

from neo_magics.errors import UnsafeArchiveError

# tarfile reads an extended header (long names, PAX records) in one piece, so its size is the archive's
# choice. File contents are read in chunks of 1 MB.
_READ_LIMIT = 1 << 20
_HINT = "Pack only the model's files, or raise NEO_MAGICS_UNPACKED_LIMIT_MB."


class Readable(Protocol):
    """Anything with `read`."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, none at the end."""


class BoundedStream:
    """`read`, `tell` and forward `seek` over `source`, at most `limit` bytes in all."""

    def __init__(self, source: Readable, limit: int) -> None:
        self._source = source
        self._limit = limit
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; `UnsafeArchiveError` where the limit is passed."""
        if size < 0 or size > _READ_LIMIT:
            raise UnsafeArchiveError("The archive is refused: a header of it is too large.", hint=_HINT)
        data = self._source.read(size)
        self._position += len(data)
        if self._position > self._limit:
            raise UnsafeArchiveError("The archive expands to more than its limit.", hint=_HINT)
        return data

    def tell(self) -> int:
        """Bytes read so far."""
        return self._position

    def seekable(self) -> bool:
        """True: tarfile skips forward by seeking."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Skip to the absolute position `offset`, which must not lie behind."""
        if whence != io.SEEK_SET or offset < self._position:
            raise ValueError("damaged archive: a member lies before the previous one")
        while self._position < offset and self.read(min(offset - self._position, _READ_LIMIT)):
            pass
        return self._position

    def drain(self) -> None:
        """Read to the end."""
        while self.read(_READ_LIMIT):
            pass
