"""Packing gives the same bytes for the same files; unpacking gives them back, whole or not at all."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neo_magics.artifact.archive import digest, pack, unpack
from neo_magics.errors import InputError, ResourceError, UnsafeArchiveError

LIMIT = 1 << 20
UNTAR = r"Unable to untar input model\. Please confirm the model is a tar\.gz file\."


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    """Write `files` below `folder`."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    folder.mkdir(exist_ok=True)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """What lies below `folder`."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


words = st.text("abcXYZ019._-é 模", min_size=1, max_size=12).filter(lambda word: word.strip(".") != "")
names = st.lists(words, min_size=1, max_size=3).map("/".join)
trees = st.dictionaries(names, st.binary(max_size=3000), max_size=6).filter(
    lambda tree: not any(a != b and b.startswith(f"{a}/") for a in tree for b in tree)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=trees)
def test_what_is_packed_is_unpacked(tree, tmp_path_factory):
    root = tmp_path_factory.mktemp("round_trip")
    source = lay_out(root / "source", tree)
    name = pack(source, root / "model.tar.gz")
    unpack(root / "model.tar.gz", root / "out", limit_bytes=LIMIT)
    assert contents(root / "out") == tree
    assert name == digest(root / "model.tar.gz")
    assert pack(root / "out", root / "again.tar.gz") == name


def test_the_bytes_do_not_depend_on_times_modes_or_the_name_of_the_archive(tmp_path):
    source = lay_out(tmp_path / "source", {"a": b"1", "b/c": b"2"})
    first = pack(source, tmp_path / "first.tar.gz")
    import os

    os.utime(source / "a", (1, 1))
    (source / "a").chmod(0o755)
    assert pack(source, tmp_path / "second.tar.gz") == first


def test_tar_itself_reads_the_archive(tmp_path):
    source = lay_out(tmp_path / "source", {"model.onnx": b"abc", "deep/er": b""})
    pack(source, tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert sorted(tar.getnames()) == ["deep/er", "model.onnx"]


def test_packing_that_fails_leaves_the_old_archive_and_nothing_else(tmp_path, monkeypatch):
    source = lay_out(tmp_path / "source", {"a": b"1"})
    before = pack(source, tmp_path / "model.tar.gz")

    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    with pytest.raises(ResourceError, match="No space is left on the disk while writing model"):
        pack(source, tmp_path / "model.tar.gz")
    assert digest(tmp_path / "model.tar.gz") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.tar.gz", "source"]


def test_the_limit_counts_expanded_bytes(tmp_path):
    source = lay_out(tmp_path / "source", {"zeros": bytes(5000), "more": bytes(5000)})
    pack(source, tmp_path / "model.tar.gz")
    unpack(tmp_path / "model.tar.gz", tmp_path / "fits", limit_bytes=10_000)
    with pytest.raises(UnsafeArchiveError, match="expands to more than the limit"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "out", limit_bytes=9_999)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [1, 4, 8, 20, 100])
def test_a_truncated_archive_is_refused_wherever_it_is_cut(tmp_path, cut):
    source = lay_out(tmp_path / "source", {"data": bytes(range(256)) * 50})
    pack(source, tmp_path / "model.tar.gz")
    whole = (tmp_path / "model.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[:-cut])
    with pytest.raises(InputError, match=UNTAR):
        unpack(tmp_path / "cut.tar.gz", tmp_path / "out", limit_bytes=LIMIT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.tar.gz", "model.tar.gz", "source"]


def plain_tar() -> bytes:
    """A tar that is not compressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 a zip",
        b"\x1f\x8b",
        plain_tar(),
        gzip.compress(b"not a tar" * 200),
        gzip.compress(b""),
    ],
    ids=["empty", "zip", "two bytes of gzip", "plain tar", "gzip of text", "gzip of nothing"],
)
def test_what_is_no_tar_gz_is_refused_in_neos_words(tmp_path, data):
    (tmp_path / "model.tar.gz").write_bytes(data)
    with pytest.raises(InputError, match=UNTAR) as caught:
        unpack(tmp_path / "model.tar.gz", tmp_path / "out", limit_bytes=LIMIT)
    assert "tar -czf" in caught.value.hint
    assert not (tmp_path / "out").exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
def test_a_damaged_byte_never_escapes_or_crashes(position, value, tmp_path_factory):
    root = tmp_path_factory.mktemp("damaged")
    source = lay_out(root / "source", {"a": b"hello" * 100, "b/c": b"world"})
    pack(source, root / "model.tar.gz")
    data = bytearray(gzip.decompress((root / "model.tar.gz").read_bytes()))
    data[position % len(data)] = value
    (root / "model.tar.gz").write_bytes(gzip.compress(bytes(data), 1))
    try:
        unpack(root / "model.tar.gz", root / "out", limit_bytes=LIMIT)
    except InputError:
        assert not (root / "out").exists()
    assert {path.name for path in root.iterdir()} <= {"source", "model.tar.gz", "out"}


def test_a_folder_that_is_not_empty_is_not_written_into(tmp_path):
    source = lay_out(tmp_path / "source", {"a": b"1"})
    pack(source, tmp_path / "model.tar.gz")
    lay_out(tmp_path / "out", {"mine": b"2"})
    with pytest.raises(OSError, match="not empty"):
        unpack(tmp_path / "model.tar.gz", tmp_path / "out", limit_bytes=LIMIT)
    assert contents(tmp_path / "out") == {"mine": b"2"}
