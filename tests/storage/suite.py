"""What every object store must do; each store's tests inherit it and give a `store` fixture."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from neo_magics.errors import StorageError
from neo_magics.storage import ObjectStore

OWN = "neo-magics"
BIG = 20 << 20  # more than two parts of a multipart upload


class ObjectStoreSuite:
    """`store` has OWN as its own bucket, and no other."""

    def test_what_was_put_is_got(self, store: ObjectStore, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "deep" / "target"
        source.write_bytes(os.urandom(BIG))
        up: list[tuple[int, int]] = []
        down: list[tuple[int, int]] = []
        uri = f"s3://{OWN}/jobs/x/model.tar.gz"
        store.put(source, uri, lambda done, total: up.append((done, total)))
        store.get(uri, target, lambda done, total: down.append((done, total)))
        assert target.read_bytes() == source.read_bytes()
        assert store.size(uri) == BIG
        for calls in (up, down):
            assert calls[-1] == (BIG, BIG)
            assert len(calls) > 2
            assert sorted(calls) == calls
        assert [p.name for p in target.parent.iterdir()] == ["target"]

    @pytest.mark.parametrize(
        "key",
        [
            "a",
            "a/b",
            "../../escape",
            "..",
            "/absolute",
            "a//b",
            "end/",
            "é ü",
            "A",
            "q?x#y%41&+",
            "x" * 1024,
        ],
    )
    def test_any_key_is_a_key(self, store: ObjectStore, tmp_path: Path, key: str) -> None:
        source = tmp_path / "source"
        source.write_bytes(key.encode())
        for name in (key, "a", "a/b", "A/b.c"):
            store.put(source, f"s3://{OWN}/{name}")
        store.get(f"s3://{OWN}/{key}", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == key.encode()
        assert f"s3://{OWN}/{key}" in list(store.list(f"s3://{OWN}/{key}"))
        store.delete(f"s3://{OWN}/{key}")
        assert not store.exists(f"s3://{OWN}/{key}")

    def test_listing_is_by_prefix_and_in_order(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"x")
        for key in ("b/2", "b/10", "c", "ba", "B"):
            store.put(tmp_path / "f", f"s3://{OWN}/{key}")
        assert list(store.list(f"s3://{OWN}/b")) == [f"s3://{OWN}/{key}" for key in ("b/10", "b/2", "ba")]
        assert len(list(store.list(f"s3://{OWN}"))) == 5

    def test_empty_files_are_objects(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "f").touch()
        store.put(tmp_path / "f", f"s3://{OWN}/empty")
        store.get(f"s3://{OWN}/empty", tmp_path / "g")
        assert (tmp_path / "g").read_bytes() == b""

    def test_a_missing_key_is_named_in_neos_words(self, store: ObjectStore, tmp_path: Path) -> None:
        store.ensure_bucket(OWN)
        for call in (
            lambda: store.get(f"s3://{OWN}/no/key", tmp_path / "t"),
            lambda: store.size(f"s3://{OWN}/no/key"),
        ):
            with pytest.raises(
                StorageError, match=rf"S3 object does not exist\. Bucket: {OWN}, Key: no/key"
            ) as missing:
                call()
            assert missing.value.fields["bucket"] == OWN
            assert missing.value.fields["key"] == "no/key"
            assert missing.value.hint
        assert not store.exists(f"s3://{OWN}/no/key")
        assert not (tmp_path / "t").exists()
        store.delete(f"s3://{OWN}/no/key")

    def test_a_missing_bucket_is_named_with_the_command_that_makes_it(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        (tmp_path / "f").write_bytes(b"x")
        uri = "s3://another-bucket/key"
        calls = (
            lambda: store.put(tmp_path / "f", uri),
            lambda: store.get(uri, tmp_path / "t"),
            lambda: store.size(uri),
            lambda: list(store.list(uri)),
        )
        for call in calls:
            with pytest.raises(
                StorageError, match=r"bucket does not exist\. Bucket: another-bucket"
            ) as missing:
                call()
            assert "another-bucket" in missing.value.hint
        assert not store.exists(uri)
        store.ensure_bucket("another-bucket")
        store.ensure_bucket("another-bucket")
        store.put(tmp_path / "f", uri)
        assert store.exists(uri)

    def test_a_file_that_cannot_be_read_is_named(self, store: ObjectStore, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="no-such-file"):
            store.put(tmp_path / "no-such-file", f"s3://{OWN}/x")

    def test_a_failed_put_leaves_the_old_object(self, store: ObjectStore, tmp_path: Path) -> None:
        old, new = tmp_path / "old", tmp_path / "new"
        old.write_bytes(b"old")
        new.write_bytes(bytes(BIG))
        store.put(old, f"s3://{OWN}/x")

        def give_up(done: int, total: int) -> None:
            raise KeyboardInterrupt if done > total // 2 else RuntimeError("stopped")

        with pytest.raises((RuntimeError, KeyboardInterrupt)):
            store.put(new, f"s3://{OWN}/x", give_up)
        store.get(f"s3://{OWN}/x", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b"old"
        assert list(store.list(f"s3://{OWN}")) == [f"s3://{OWN}/x"]

    def test_a_failed_get_leaves_the_old_file(self, store: ObjectStore, tmp_path: Path) -> None:
        source, target = tmp_path / "source", tmp_path / "here" / "target"
        source.write_bytes(bytes(BIG))
        store.put(source, f"s3://{OWN}/x")
        target.parent.mkdir()
        target.write_bytes(b"old")

        def give_up(done: int, total: int) -> None:
            raise RuntimeError("stopped")

        with pytest.raises(RuntimeError, match="stopped"):
            store.get(f"s3://{OWN}/x", target, give_up)
        assert target.read_bytes() == b"old"
        assert [p.name for p in target.parent.iterdir()] == ["target"]

    def test_puts_at_the_same_time_leave_one_of_them_whole(self, store: ObjectStore, tmp_path: Path) -> None:
        contents = [bytes([i]) * (9 << 20) for i in range(4)]
        for i, content in enumerate(contents):
            (tmp_path / str(i)).write_bytes(content)
        uri, errors = f"s3://{OWN}/same/key", []

        def put(i: int) -> None:
            try:
                store.put(tmp_path / str(i), uri)
            except StorageError as error:
                errors.append(error)

        threads = [threading.Thread(target=put, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        store.get(uri, tmp_path / "target")
        assert not errors
        assert (tmp_path / "target").read_bytes() in contents

    def test_it_can_be_checked(self, store: ObjectStore) -> None:
        store.check()
