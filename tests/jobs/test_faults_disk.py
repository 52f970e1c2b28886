"""A disk that is full while the job writes: a small file system of its own, made and removed by the test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neo_magics.capture import capture
from tests.jobs.models import dense, packed
from tests.jobs.shop import Shop

MB = 1 << 20
LARGE = {"net.onnx": dense(640, 640)}  # 1.6 MB of weights, which no packing makes smaller


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """`folder` is a file system of `size` bytes. Needs the right to mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "neo-magics-test", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"needs the right to mount a small file system: {made.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> None:
    """Write until no more than `leave` bytes have room."""
    size = 1 << 16
    with (folder / "ballast").open("wb", buffering=0) as file:
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
        file.truncate(file.tell() - leave)


@pytest.mark.parametrize(
    ("size", "stage"),
    [(2.5, "fetch"), (4.0, "package")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_disk_of_the_work_folder_is_full(shop: Shop, size: float, stage: str) -> None:
    with small_disk(shop.settings.home / "work", int(size * MB)):
        answer = shop.run(packed(LARGE))
        fails_for_want_of_space(shop, answer, stage)


@pytest.mark.slow
def test_the_disk_is_full_while_the_artifact_is_packed(shop: Shop) -> None:
    """Model and library have room on it, and the archive of both has not."""
    archive = shop.folder / "model.tar.gz"
    torch = pytest.importorskip("torch")
    capture(torch.nn.Linear(640, 640), inputs=torch.ones(1, 640)).write(archive)
    with small_disk(shop.settings.home / "work", 4 * MB):
        answer = shop.run(archive.read_bytes(), framework="PYTORCH")
        fails_for_want_of_space(shop, answer, "package")


def fails_for_want_of_space(shop: Shop, answer: dict[str, Any], stage: str) -> None:
    """The reason says so, nothing is left, and the next job has the room."""
    assert (answer["CompilationJobStatus"], answer["FailureReason"][:13]) == ("FAILED", "ServerError: ")
    assert "No space is left on the disk" in answer["FailureReason"]
    assert "Free some space" in answer["FailureReason"]
    assert shop.stages(answer["CompilationJobName"])[-1] == (stage, "failed")
    assert list((shop.settings.home / "work").iterdir()) == []
    assert shop.run()["CompilationJobStatus"] == "COMPLETED"
    assert list((shop.settings.home / "work").iterdir()) == []


def test_the_disk_of_the_buckets_is_full_while_the_artifact_is_stored(shop: Shop) -> None:
    archive = packed(LARGE)
    np.testing.assert_array_less(1.2 * MB, len(archive))
    with small_disk(shop.settings.home / "buckets", int(2.2 * MB)):
        answer = shop.run(archive)
        assert answer["CompilationJobStatus"] == "FAILED"
        assert answer["FailureReason"].startswith("ServerError: ")
        assert "No space" in answer["FailureReason"]
        assert not shop.backend.store.exists("s3://neo-magics/out/net-LINUX_X86_64.tar.gz")
        assert shop.leftovers() == []
        assert shop.run()["CompilationJobStatus"] == "COMPLETED"


def test_a_cache_that_cannot_be_written_costs_only_the_cache(shop: Shop) -> None:
    with small_disk(shop.settings.home / "cache", 64 << 10):
        answer = shop.run(packed(LARGE))
        assert answer["CompilationJobStatus"] == "COMPLETED", answer["FailureReason"]
        log = [getattr(event, "text", "") for event in shop.events(answer["CompilationJobName"])]
        assert any("was not kept in the compile cache" in line for line in log)
        assert list((shop.settings.home / "cache").iterdir()) == []
        assert shop.leftovers() == []


def test_the_one_disk_of_everything_fills_up_while_the_job_runs(shop: Shop, tmp_path: Path) -> None:
    """Neither the child's reason nor the store's last word has room then: it is kept for them.

    What is left takes the model in, and not what becomes of it: so it is full before the job can end.
    """
    home = tmp_path / "small"
    with small_disk(home, 24 * MB):
        there = Shop(replace(shop.settings, home=home), tmp_path)
        archive = there.put(packed(LARGE))
        fill(home, leave=4 * MB)
        name = there.create(archive)
        answer = there.end(name, within=60)  # it was two minutes, on an idle machine
        assert answer["CompilationJobStatus"] == "FAILED"
        assert "No space is left on the disk" in answer["FailureReason"]
        assert there.leftovers() == []
        (home / "ballast").unlink()
        assert there.run()["CompilationJobStatus"] == "COMPLETED"
        there.close()
