"""The folder store: the common suite, and what only file systems do."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neo_magics.errors import DiskFullError, StorageError
from neo_magics.settings import Settings
from neo_magics.storage import FolderStore, ObjectStore, open_store
from tests.storage.suite import OWN, ObjectStoreSuite


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "buckets", own_buckets=(OWN,))


class TestFolderStore(ObjectStoreSuite):
    """All of the suite."""


def _files(store: FolderStore) -> list[str]:
    return sorted(str(p.relative_to(store.root)) for p in store.root.rglob("*") if p.is_file())


def test_the_local_backend_keeps_objects_below_home(settings: Settings, tmp_path: Path) -> None:
    opened: ObjectStore = open_store(settings)
    (tmp_path / "f").write_bytes(b"x")
    opened.put(tmp_path / "f", f"s3://{settings.bucket}/jobs/a.tar.gz")
    assert (settings.home / "buckets" / settings.bucket / "jobs" / "a.tar.gz").read_bytes() == b"x"
    assert (settings.home / "buckets" / settings.bucket).stat().st_mode & 0o077 == 0


def test_nothing_is_written_outside_of_the_bucket(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    before = set(tmp_path.rglob("*"))
    for key in ("../../../escape", "/etc/neo-magics", "a/../../b", "..", "\0", "new\nline"):
        store.put(tmp_path / "f", f"s3://{OWN}/{key}")
    new = {p for p in tmp_path.rglob("*") if p not in before}
    assert all(p == store.root or store.root in p.parents for p in new)
    assert len(list(store.list(f"s3://{OWN}"))) == 6


def test_a_delete_removes_the_folders_it_leaves_empty(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    store.put(tmp_path / "f", f"s3://{OWN}/a/b/c")
    store.put(tmp_path / "f", f"s3://{OWN}/a/d")
    store.delete(f"s3://{OWN}/a/b/c")
    assert not (store.root / OWN / "a" / "b").exists()
    store.delete(f"s3://{OWN}/a/d")
    assert not (store.root / OWN / "a").exists()
    assert (store.root / OWN).is_dir()


# RLIMIT_FSIZE stands for a disk that is full: the write fails in the middle with EFBIG.
_PUT_WITHOUT_SPACE = """
import resource, signal, sys
from pathlib import Path
from neo_magics.errors import DiskFullError
from neo_magics.storage import FolderStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
store = FolderStore(Path(sys.argv[1]), own_buckets=("neo-magics",))
try:
    getattr(store, sys.argv[2])(*[Path(a) if a[0] == "/" else a for a in sys.argv[3:]])
except DiskFullError as error:
    print(error)
"""


def _run_without_space(store: FolderStore, *words: str) -> str:
    command = [sys.executable, "-c", _PUT_WITHOUT_SPACE, str(store.root), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_a_full_disk_leaves_nothing_of_a_put_or_a_get(store: FolderStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(4 << 20))
    uri = f"s3://{OWN}/big"
    assert "Free some space" in _run_without_space(store, "put", str(source), uri)
    assert _files(store) == []
    store.put(source, uri)
    assert "Free some space" in _run_without_space(store, "get", uri, str(target))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["buckets", "source"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_no_space_left_is_told_apart_from_other_errors(store: FolderStore, tmp_path: Path) -> None:
    from neo_magics.storage.partial import worded

    with (
        pytest.raises(DiskFullError) as full,
        worded("Cannot store", OWN, "k"),
        Path("/dev/full").open("wb") as file,
    ):
        file.write(b"x")
    assert isinstance(full.value.__cause__, OSError)
    assert full.value.__cause__.errno == errno.ENOSPC
    with pytest.raises(StorageError) as other, worded("Cannot store", OWN, "k"):
        raise PermissionError(errno.EACCES, "Permission denied")
    assert not isinstance(other.value, DiskFullError)


_PUT_FOR_EVER = """
import sys, time
from pathlib import Path
from neo_magics.storage import FolderStore
store = FolderStore(Path(sys.argv[1]), own_buckets=("neo-magics",))
def hang(done, total):
    print("begun", flush=True)
    time.sleep(60)
store.put(Path(sys.argv[2]), "s3://neo-magics/x", hang)
"""


def test_the_next_put_sweeps_what_a_killed_one_left_and_nothing_of_a_live_one(
    store: FolderStore, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(4 << 20))
    command = [sys.executable, "-c", _PUT_FOR_EVER, str(store.root), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            store.put(source, f"s3://{OWN}/while-it-lives")
            assert len([f for f in _files(store) if "%tmp" in f]) == 1
        finally:
            process.send_signal(signal.SIGKILL)
    assert not store.exists(f"s3://{OWN}/x")
    store.put(source, f"s3://{OWN}/after")
    assert _files(store) == [f"{OWN}/after%o", f"{OWN}/while-it-lives%o"]


def test_deletes_and_puts_of_neighbours_do_not_meet(store: FolderStore, tmp_path: Path) -> None:
    """A delete prunes the folder that a put is about to use."""
    import threading

    (tmp_path / "f").write_bytes(b"x")
    end = time.monotonic() + 1.0
    errors: list[StorageError] = []

    def churn(key: str) -> None:
        while time.monotonic() < end and not errors:
            try:
                store.put(tmp_path / "f", f"s3://{OWN}/{key}")
                store.delete(f"s3://{OWN}/{key}")
            except StorageError as error:
                errors.append(error)

    threads = [threading.Thread(target=churn, args=(f"a/b/{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_with_a_next_step(store: FolderStore, tmp_path: Path) -> None:
    store.ensure_bucket(OWN)
    (store.root / OWN).chmod(0o500)
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(StorageError, match="Permission denied") as refused:
        store.put(tmp_path / "f", f"s3://{OWN}/x")
    assert refused.value.hint
