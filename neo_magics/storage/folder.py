"""Objects as plain files: one folder per bucket.

A key's path below its bucket's folder is that of `names.encode`. Uploads in flight are in
``%tmp`` of the same bucket, hence on the same file system, under a name that no key has.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from neo_magics.errors import StorageError
from neo_magics.storage import names
from neo_magics.storage.base import Progress, missing_bucket, missing_object, missing_source
from neo_magics.storage.partial import copy, partial, publish, sweep, worded
from neo_magics.storage.uri import check_bucket, join_uri, require_key, split_uri

_STAGING = "%tmp"


class FolderStore:
    """An object store in the folder `root`. Buckets in `own_buckets` are made when first written to."""

    def __init__(self, root: Path, *, own_buckets: tuple[str, ...] = ()) -> None:
        self.root = root
        self.own_buckets = own_buckets
        self._fold_case: bool | None = None

    def path(self, uri: str) -> Path:
        """Where the object of `uri` is or would be."""
        bucket, key = require_key(uri)
        return self._path(bucket, key)

    def put(self, path: Path, uri: str, progress: Progress | None = None) -> None:
        """Copy the file at `path` to the object `uri`; on disk (fsync) when it returns."""
        bucket, key = require_key(uri)
        if bucket in self.own_buckets:
            self.ensure_bucket(bucket)
        with self._source(path, uri) as source, worded(f"Cannot store {uri}", bucket, key):
            staging = self._staging(bucket)
            sweep(staging)
            with partial(staging) as (file, temporary):
                copy(source, file, os.fstat(source.fileno()).st_size, progress)
                publish(file, temporary, self._path(bucket, key), durable=True)

    def get(self, uri: str, path: Path, progress: Progress | None = None) -> None:
        """Copy the object to the file `path`, which appears whole or not at all."""
        bucket, key = require_key(uri)
        with worded(f"Cannot read {uri} to {path}", bucket, key):
            try:
                source = self._path(bucket, key).open("rb")
            except FileNotFoundError:
                raise self._missing(bucket, key) from None
            with source:
                path.parent.mkdir(parents=True, exist_ok=True)
                with partial(path.parent, f".{path.name[:100]}.") as (file, temporary):
                    copy(source, file, os.fstat(source.fileno()).st_size, progress)
                    publish(file, temporary, path, durable=False)

    def exists(self, uri: str) -> bool:
        """Whether the object exists."""
        return self.path(uri).is_file()

    def size(self, uri: str) -> int:
        """Bytes of the object."""
        bucket, key = require_key(uri)
        with worded(f"Cannot read {uri}", bucket, key):
            try:
                return self._path(bucket, key).stat().st_size
            except FileNotFoundError:
                raise self._missing(bucket, key) from None

    def delete(self, uri: str) -> None:
        """Remove the object and the folders that this leaves empty."""
        bucket, key = require_key(uri)
        path = self._path(bucket, key)
        with worded(f"Cannot delete {uri}", bucket, key):
            path.unlink(missing_ok=True)
            for folder in path.relative_to(self.root / bucket).parents[:-1]:
                try:
                    (self.root / bucket / folder).rmdir()
                except OSError:
                    break  # not empty, or another process was first

    def list(self, uri: str) -> Iterator[str]:
        """Addresses of the objects whose key starts with that of `uri`, in S3's order (UTF-8)."""
        bucket, prefix = split_uri(uri)
        root = self.root / bucket
        if not root.is_dir():
            raise self._missing(bucket, "")
        keys = (names.decode(PurePosixPath(path)) for path in _files(root))
        for key in sorted((key for key in keys if key.startswith(prefix)), key=str.encode):
            yield join_uri(bucket, key)

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket's folder if it does not exist, for this user only."""
        with worded(f"Cannot make the bucket {bucket}", check_bucket(bucket), ""):
            (self.root / bucket).mkdir(parents=True, exist_ok=True, mode=0o700)

    def check(self) -> None:
        """Raise StorageError where the folder cannot be written."""
        with worded(f"Cannot use the folder {self.root}", "", ""):
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with partial(self.root, "."):
                pass

    def _path(self, bucket: str, key: str) -> Path:
        return self.root / bucket / names.encode(key, fold_case=self._folds_case())

    def _folds_case(self) -> bool:
        if self._fold_case is None:
            self._fold_case = _tells_no_case(self.root)
        return self._fold_case

    def _staging(self, bucket: str) -> Path:
        folder = self.root / bucket / _STAGING
        try:
            folder.mkdir(exist_ok=True, mode=0o700)
        except FileNotFoundError:
            raise self._missing(bucket, "") from None
        return folder

    def _missing(self, bucket: str, key: str) -> StorageError:
        if (self.root / bucket).is_dir():
            return missing_object(bucket, key)
        known = sorted(p.name for p in self.root.glob("[!.]*")) if self.root.is_dir() else []
        have = f"This store has: {', '.join(known)}." if known else "This store has no bucket yet."
        return missing_bucket(bucket, f"{have} Make it with `mkdir -p {self.root / bucket}`.")

    @contextlib.contextmanager
    def _source(self, path: Path, uri: str) -> Iterator[BinaryIO]:
        try:
            file = path.open("rb")
        except OSError as error:
            raise missing_source(path, uri, error) from error
        with file:
            yield file


def _files(root: Path) -> Iterator[str]:
    """Paths of the objects' files below `root`, relative to it."""
    for folder, folders, files in os.walk(root):
        if Path(folder) == root and _STAGING in folders:
            folders.remove(_STAGING)
        for name in files:
            yield os.path.relpath(Path(folder) / name, root)


def _tells_no_case(folder: Path) -> bool:
    """Whether the file system of `folder` takes a name and its other case for the same."""
    for path in (folder, *folder.parents):
        other = path.with_name(path.name.swapcase()) if path.name else path
        if path.exists() and other != path:
            return other.exists() and other.samefile(path)
    return False
