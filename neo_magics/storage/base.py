"""What an object store offers, and the errors that every store words alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from neo_magics.errors import StorageError

# Called with the bytes moved so far and the total; from any thread, one call at a time.
Progress = Callable[[int, int], None]


class ObjectStore(Protocol):
    """Objects by address (``s3://bucket/key``). Every method raises StorageError with a next step.

    A put or get either happens as a whole or not at all: no half object or file is ever visible.
    """

    def put(self, path: Path, uri: str, progress: Progress | None = None) -> None:
        """Store the file at `path` as `uri`, replacing what was there."""

    def get(self, uri: str, path: Path, progress: Progress | None = None) -> None:
        """Write the object to the file `path`, whose folder is made if missing."""

    def exists(self, uri: str) -> bool:
        """Whether the object exists; a missing bucket is False."""

    def size(self, uri: str) -> int:
        """Bytes of the object."""

    def delete(self, uri: str) -> None:
        """Remove the object; one that does not exist is no error, as in S3."""

    def list(self, uri: str) -> Iterator[str]:
        """Addresses of all objects whose key starts with that of `uri`, in order of their keys."""

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket if it does not exist."""

    def check(self) -> None:
        """Raise StorageError where the store cannot be reached."""


def missing_bucket(bucket: str, hint: str) -> StorageError:
    """The error for a bucket that does not exist."""
    return StorageError(
        f"The specified bucket does not exist. Bucket: {bucket}.", hint=hint, bucket=bucket, key=""
    )


def missing_object(bucket: str, key: str) -> StorageError:
    """The error for a key that does not exist, as Neo words it."""
    return StorageError(
        f"S3 object does not exist. Bucket: {bucket}, Key: {key}.",
        hint="Check the address, and that the upload ended.",
        bucket=bucket,
        key=key,
    )


def missing_source(path: Path, uri: str, cause: OSError) -> StorageError:
    """The error for a file to upload that cannot be read."""
    return StorageError(
        f"Cannot read {path} to store it as {uri}: {cause.strerror}.",
        hint="Give an existing, readable file.",
        uri=uri,
    )
