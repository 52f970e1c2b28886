"""Compiled artifacts by what they were made from.

One folder per key with the archive and `entry.json`; it appears whole, by a rename. The least recently
used go when the sum passes the limit. An entry whose archive is not what was stored is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.artifact.archive import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LIMIT = 4 << 30  # bytes
_ARCHIVE = "artifact.tar.gz"
_ENTRY = "entry.json"


@dataclass(frozen=True)
class CacheEntry:
    """A hit: the archive (the caller's own file), its BLAKE2 digest, what was stored with it, and when."""

    archive: Path
    digest: str
    details: dict[str, Any]
    created: str


def cache_key(parts: Mapping[str, Any]) -> str:
    """The key for everything that decides the result: BLAKE2 of its canonical JSON, 64 hex digits."""
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_refuse)
    return hashlib.blake2b(canonical.encode(), digest_size=32).hexdigest()


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} has no canonical form for a cache key")


class CompileCache:
    """The cache in `folder`. `scratch` is a folder on the same file system for what is coming and going."""

    def __init__(self, folder: Path, scratch: Path, *, limit_bytes: int = DEFAULT_LIMIT) -> None:
        self.folder = folder
        self.scratch = scratch
        self.limit_bytes = limit_bytes

    def get(self, key: str) -> CacheEntry | None:
        """The entry, its archive linked into `scratch` and checked; None for none or a damaged one."""
        entry = self.folder / key
        archive = self._scratch_path()
        try:
            body = json.loads((entry / _ENTRY).read_text(encoding="utf-8"))
            _link(entry / _ARCHIVE, archive)  # another job may evict the entry from now on
            if digest(archive) != body["digest"]:
                raise ValueError("the archive is not the one that was stored")
            hit = CacheEntry(archive, body["digest"], body["details"], body["created"])
        except FileNotFoundError:
            if not entry.exists():
                return None
            self._drop(entry)
        except (ValueError, KeyError, TypeError):
            archive.unlink(missing_ok=True)
            self._drop(entry)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.utime(entry / _ENTRY)
            return hit
        return None

    def put(self, key: str, archive: Path, details: Mapping[str, Any]) -> None:
        """Keep `archive` under `key`, unless another job was first. Raises OSError (a full disk)."""
        if archive.stat().st_size > self.limit_bytes:
            return
        coming = self._scratch_path()
        coming.mkdir()
        _link(archive, coming / _ARCHIVE)
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        body = {"digest": digest(archive), "details": dict(details), "created": created}
        (coming / _ENTRY).write_text(json.dumps(body), encoding="utf-8")
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            coming.rename(self.folder / key)
        except OSError as error:
            # Another job was first; its entry may be evicted by now.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(coming)
        self._evict()

    def _evict(self) -> None:
        entries = sorted(map(_usage, self.folder.iterdir()), reverse=True)  # the latest used first
        total = 0
        for _used, size, entry in entries:
            total += size
            if total > self.limit_bytes:
                self._drop(entry)

    def _drop(self, entry: Path) -> None:
        """Out of sight in one step, then removed."""
        going = self._scratch_path()
        with contextlib.suppress(FileNotFoundError):
            entry.rename(going)
        shutil.rmtree(going, ignore_errors=True)

    def _scratch_path(self) -> Path:
        return self.scratch / f"cache-{uuid.uuid4().hex}"


def _usage(entry: Path) -> tuple[float, int, Path]:
    """When the entry was last used, and its bytes."""
    try:
        return (entry / _ENTRY).stat().st_mtime, (entry / _ARCHIVE).stat().st_size, entry
    except FileNotFoundError:
        return 0.0, 0, entry


def _link(source: Path, target: Path) -> None:
    """A second name for the file, or a copy where the file system has no such thing."""
    try:
        target.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)
