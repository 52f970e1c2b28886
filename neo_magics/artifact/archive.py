"""tar.gz archives: deterministic packing, and unpacking that trusts nothing.

The same two functions serve compiled archives and model archives: both come from elsewhere.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from neo_magics.artifact.bounded import BoundedStream
from neo_magics.compression import GzipWriter
from neo_magics.errors import InputError, ResourceError, UnsafeArchiveError

MEMBER_LIMIT = 10_000
_CHUNK = 1 << 20


def digest(path: Path) -> str:
    """The BLAKE2b digest of a file: 32 bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()


def pack(folder: Path, archive: Path) -> str:
    """Pack the files of `folder` as the tar.gz `archive`; returns its BLAKE2 digest.

    The bytes depend only on names and contents. The archive appears whole or not at all. `ResourceError`
    where the disk is full.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{archive.name}.", suffix=".partial", dir=archive.parent)
    partial = Path(name)
    try:
        with _full_disk_explained(archive), os.fdopen(handle, "wb") as raw:
            _write_tar(folder, raw)
        partial.chmod(0o666 & ~_umask())
        result = digest(partial)
        partial.replace(archive)
        return result
    finally:
        partial.unlink(missing_ok=True)


def unpack(archive: Path, folder: Path, *, limit_bytes: int) -> None:
    """Unpack the tar.gz `archive` as `folder`, which must be missing or empty.

    Only regular files and folders inside `folder` are taken: links, devices, absolute names, `..`, a name
    given twice, or contents above `limit_bytes` raise `UnsafeArchiveError`. What is no tar.gz, or a damaged
    one, raises `InputError`; a full disk `ResourceError`. On failure nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        with _full_disk_explained(folder):
            _extract(archive, partial, limit_bytes)
        partial.chmod(0o777 & ~_umask())
        partial.replace(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_tar(folder: Path, raw: IO[bytes]) -> None:
    with (
        GzipWriter(raw) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)


def _extract(archive: Path, folder: Path, limit_bytes: int) -> None:
    try:
        with archive.open("rb") as raw, gzip.GzipFile(fileobj=raw) as expanded:
            stream = BoundedStream(expanded, limit_bytes + MEMBER_LIMIT * 4096)
            with tarfile.open(fileobj=stream, mode="r:", errorlevel=2) as tar:  # type: ignore[call-overload]
                _extract_members(tar, folder, limit_bytes)
            stream.drain()  # the checksum at the end of a gzip is checked only when it is read
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RecursionError, ValueError) as error:
        raise InputError(
            "Unable to untar input model. Please confirm the model is a tar.gz file.",
            hint=f"{archive.name}: {_cause(error)}. Make it with `tar -czf model.tar.gz -C FOLDER .`",
        ) from error


def _extract_members(tar: tarfile.TarFile, folder: Path, limit_bytes: int) -> None:
    left = limit_bytes
    for count, member in enumerate(tar, start=1):
        if count > MEMBER_LIMIT:
            raise UnsafeArchiveError(
                f"The archive has more than {MEMBER_LIMIT} members.", hint="Pack only the model's files."
            )
        target = folder / _safe_name(member)
        if not 0 <= member.size <= left:
            raise _too_large(limit_bytes)
        left -= member.size
        _extract_member(tar, member, target)


def _extract_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    try:
        if member.isdir():
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        assert source is not None  # a regular file, by _safe_name
        with source, target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _unsafe(member, "is there twice") from error
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
            raise _unsafe(member, "is not a possible file name here") from error
        raise


def _safe_name(member: tarfile.TarInfo) -> PurePosixPath:
    """The member's path inside the folder; refuses whatever is no plain file or folder within it."""
    if not (member.isreg() or member.isdir()) or member.issparse():
        raise _unsafe(member, "is not a regular file")
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise _unsafe(member, "would leave its folder")
    if member.isreg() and not path.parts:
        raise _unsafe(member, "has no name")
    return path


def _unsafe(member: tarfile.TarInfo, why: str) -> UnsafeArchiveError:
    name = member.name if len(member.name) <= 80 else member.name[:79] + "…"
    return UnsafeArchiveError(
        f"The archive is refused: its member {name!r} {why}.",
        hint="Pack plain files with relative names: `tar -czf model.tar.gz -C FOLDER .`",
        member=member.name,
    )


def _too_large(limit_bytes: int) -> UnsafeArchiveError:
    return UnsafeArchiveError(
        f"The archive expands to more than the limit of {limit_bytes / 2**20:,.0f} MB.",
        hint="Pack only the model, or raise NEO_MAGICS_UNPACKED_LIMIT_MB.",
    )


def _cause(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if len(text) <= 120 else text[:119] + "…"


@contextmanager
def _full_disk_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise ResourceError(
            f"No space is left on the disk while writing {path.name}.", hint="Free some space and try again."
        ) from error


def _umask() -> int:
    """The process's umask. Python can only read it by setting it, so the kernel is asked where it tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0o022
    for line in status.splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o022
