"""Archives that want out of their folder, or to fill the disk or the memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neo_magics.artifact import archive
from neo_magics.artifact.archive import unpack
from neo_magics.errors import InputError, UnsafeArchiveError

LIMIT = 1 << 20


def member(name: str, data: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar; `fields` overwrite those of its header."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def write(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A tar.gz of `members`."""
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return path


def refused(path: Path) -> str:
    """The message with which unpacking is refused; nothing is left behind."""
    root = path.parent
    before = sorted(entry.name for entry in root.iterdir())
    with pytest.raises(InputError) as caught:
        unpack(path, root / "out", limit_bytes=LIMIT)
    assert sorted(entry.name for entry in root.iterdir()) == before
    return caught.value.message


@pytest.mark.parametrize("name", ["../escape", "a/../../escape", "/etc/escape", "..", "a/..", "..\\escape"])
def test_names_that_leave_the_folder(tmp_path, name):
    message = refused(write(tmp_path / "m.tar.gz", member("good"), member(name)))
    assert "would leave its folder" in message


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(st.sampled_from(["..", ".", "", "a", "b", "/", "\\", "~", "C:"]), min_size=1, max_size=6)
)
def test_no_name_ever_writes_outside(parts, tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    path = write(root / "m.tar.gz", member("/".join(parts)))
    with contextlib.suppress(InputError):
        unpack(path, root / "deep" / "out", limit_bytes=LIMIT)
    outside = [p for p in root.rglob("*") if p.is_file() and root / "deep" / "out" not in p.parents]
    assert outside == [path]


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "good"),
        (tarfile.LNKTYPE, "good"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (b"Z", ""),
    ],
    ids=["link out", "link within", "hard link", "fifo", "character device", "block device", "unknown type"],
)
def test_only_files_and_folders_are_taken(tmp_path, kind, link):
    special = member("special", b"", type=kind, linkname=link)
    message = refused(write(tmp_path / "m.tar.gz", member("good"), special))
    if kind != b"Z":  # an unknown type counts as a file, as tar does
        assert "is not a regular file" in message


def test_a_name_given_twice(tmp_path):
    assert "is there twice" in refused(write(tmp_path / "m.tar.gz", member("a"), member("./a")))


def test_a_file_used_as_a_folder(tmp_path):
    assert "is there twice" in refused(write(tmp_path / "m.tar.gz", member("a"), member("a/b")))


def test_a_name_too_long_for_the_disk(tmp_path):
    assert "not a possible file name" in refused(write(tmp_path / "m.tar.gz", member("n" * 300)))


def test_modes_of_the_archive_are_not_taken(tmp_path):
    path = write(tmp_path / "m.tar.gz", member("program", mode=0o4777))
    unpack(path, tmp_path / "out", limit_bytes=LIMIT)
    assert (tmp_path / "out" / "program").stat().st_mode & 0o7111 == 0


def test_a_bomb_is_stopped_at_the_limit(tmp_path):
    path = write(tmp_path / "m.tar.gz", member("zeros", bytes(64 << 20)))
    assert path.stat().st_size < 100_000
    assert "expands to more than the limit" in refused(path)


def test_zeros_after_the_end_of_the_tar_are_a_bomb_too(tmp_path):
    path = write(tmp_path / "m.tar.gz", member("a"))
    with path.open("ab") as file:
        file.write(gzip.compress(bytes(64 << 20)))
    assert "expands to more than its limit" in refused(path)


def test_a_size_that_lies(tmp_path):
    info = tarfile.TarInfo("huge")
    info.size = 1 << 62
    (tmp_path / "m.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(1024)))
    assert "limit" in refused(tmp_path / "m.tar.gz")


def test_a_negative_size(tmp_path):
    header = bytearray(tarfile.TarInfo("negative").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\x00"
    header[148:156] = b"        "
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    (tmp_path / "m.tar.gz").write_bytes(gzip.compress(bytes(header) + bytes(1024)))
    refused(tmp_path / "m.tar.gz")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_header_that_fills_memory(tmp_path, kind):
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 40 << 20
    (tmp_path / "m.tar.gz").write_bytes(gzip.compress(info.tobuf() + b"1" * (40 << 20) + bytes(1024)))
    assert "too large" in refused(tmp_path / "m.tar.gz")


def test_a_sparse_file(tmp_path):
    info = tarfile.TarInfo("sparse")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(1 << 40)}
    info.pax_headers |= {"GNU.sparse.map": "0,1", "GNU.sparse.numblocks": "1"}
    info.size = 1
    refused(write(tmp_path / "m.tar.gz", (info, b"x")))


def test_headers_within_headers_without_end(tmp_path):
    info = tarfile.TarInfo("pax")
    info.type = tarfile.XHDTYPE
    (tmp_path / "m.tar.gz").write_bytes(gzip.compress(info.tobuf() * 5000))
    refused(tmp_path / "m.tar.gz")


def test_too_many_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 5)
    path = write(tmp_path / "m.tar.gz", *(member(f"f{index}") for index in range(6)))
    with pytest.raises(UnsafeArchiveError, match="more than 5 members"):
        unpack(path, tmp_path / "out", limit_bytes=LIMIT)
