"""Files that appear whole or not at all.

A file is written under another name in the same file system and renamed when it is complete. The writer
holds a lock on it while it lives, so what a killed process left behind is known by its free lock and swept
by the next writer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from neo_magics.errors import DISK_FULL, DiskFullError, StorageError

_CHUNK = 1 << 20
_SUFFIX = ".part"
_ATTEMPTS = 20


@contextlib.contextmanager
def partial(folder: Path, prefix: str = "") -> Iterator[tuple[BinaryIO, Path]]:
    """An open, locked, empty file ``<prefix><random>.part`` in `folder`, for this user only.

    It is removed at the end of the block unless it was renamed by `publish`.
    """
    file, path = _open_locked(folder, prefix)
    with file:
        try:
            yield file, path
        finally:
            path.unlink(missing_ok=True)


def publish(file: BinaryIO, path: Path, target: Path, *, durable: bool) -> None:
    """Rename the complete `path` to `target`, making its folder; `durable` waits until the disk has it."""
    file.flush()
    if durable:
        os.fsync(file.fileno())
    for attempt in range(_ATTEMPTS):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            break
        except (FileNotFoundError, FileExistsError):
            # A delete elsewhere pruned a folder that was just made, or just seen.
            if attempt == _ATTEMPTS - 1:
                raise
    if durable:
        _sync_folder(target.parent)


def sweep(folder: Path) -> int:
    """Remove the partial files in `folder` whose writer is gone; returns how many."""
    swept = 0
    for path in folder.glob(f"*{_SUFFIX}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept += 1
    return swept


def copy(source: BinaryIO, target: BinaryIO, total: int, progress: Callable[[int, int], None] | None) -> int:
    """Copy all of `source`; returns the bytes copied."""
    done = 0
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        done += len(chunk)
        if progress:
            progress(done, total)
    return done


@contextlib.contextmanager
def worded(what: str, bucket: str, key: str) -> Iterator[None]:
    """Turn an OSError of the block into a StorageError that starts with `what` ("Cannot store s3://…")."""
    try:
        yield
    except OSError as error:
        text = f"{what}: {error.strerror or error}."
        if error.errno in DISK_FULL:
            raise DiskFullError(
                text, hint="Free some space (or raise the quota) and try again.", bucket=bucket, key=key
            ) from error
        raise StorageError(
            text, hint="Check the folder's permissions and disk.", bucket=bucket, key=key
        ) from error


def _open_locked(folder: Path, prefix: str) -> tuple[BinaryIO, Path]:
    while True:
        path = folder / f"{prefix}{uuid.uuid4().hex}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # A sweep between the two calls took the new file for an abandoned one.
        if os.fstat(descriptor).st_nlink:
            return os.fdopen(descriptor, "w+b"), path
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
