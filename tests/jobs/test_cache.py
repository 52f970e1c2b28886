"""The compile cache: the same key the same bytes, damage noticed, size bounded, nothing half seen."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neo_magics.jobs.cache import CompileCache, cache_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.fixture
def cache(tmp_path: Path) -> CompileCache:
    (tmp_path / "scratch").mkdir()
    return CompileCache(tmp_path / "cache", tmp_path / "scratch", limit_bytes=1000)


def archive(cache: CompileCache, content: bytes = b"artifact") -> Path:
    path = cache.scratch / "made.tar.gz"
    path.unlink(missing_ok=True)  # the cache may hold this very file by a second name
    path.write_bytes(content)
    return path


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON))
def test_the_key_does_not_depend_on_the_order_of_its_parts(parts: dict[str, object]) -> None:
    assert cache_key(parts) == cache_key(dict(reversed(parts.items())))
    assert len(cache_key(parts)) == 64


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON), st.text(), JSON)
def test_each_part_counts(parts: dict[str, object], name: str, value: object) -> None:
    changed = {**parts, name: [value, "changed"]}
    assert (cache_key(parts) == cache_key(changed)) == (parts == changed)


def test_what_has_no_canonical_form_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no canonical form"):
        cache_key({"options": {1, 2}})


def test_an_unknown_key_is_a_miss(cache: CompileCache) -> None:
    assert cache.get("0" * 64) is None


def test_what_was_put_comes_back_with_its_details(cache: CompileCache) -> None:
    cache.put("k", archive(cache), {"report": [1]})
    hit = cache.get("k")
    assert hit is not None
    assert hit.archive.read_bytes() == b"artifact"
    assert hit.archive.parent == cache.scratch
    assert hit.details == {"report": [1]}
    assert hit.created.endswith("Z")


def test_the_first_of_two_puts_stays(cache: CompileCache) -> None:
    cache.put("k", archive(cache), {"by": 1})
    cache.put("k", archive(cache), {"by": 2})
    hit = cache.get("k")
    assert hit is not None
    assert hit.details == {"by": 1}
    assert [path.name for path in cache.scratch.iterdir() if path.is_dir()] == []


def _change(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"artifacT")


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: _change(entry / "artifact.tar.gz"),
        lambda entry: (entry / "artifact.tar.gz").unlink(),
        lambda entry: (entry / "entry.json").unlink(),
        lambda entry: (entry / "entry.json").write_text("{"),
        lambda entry: (entry / "entry.json").write_text(json.dumps({"digest": "00"})),
        lambda entry: (entry / "entry.json").write_text("[]"),
    ],
)
def test_a_damaged_entry_is_dropped_and_can_be_made_again(cache: CompileCache, damage: object) -> None:
    cache.put("k", archive(cache), {})
    damage(cache.folder / "k")  # type: ignore[operator]
    assert cache.get("k") is None
    assert not (cache.folder / "k").exists()
    cache.put("k", archive(cache), {})
    assert cache.get("k") is not None


def test_the_least_recently_used_goes_when_the_sum_is_over_the_limit(cache: CompileCache) -> None:
    for age, key in enumerate(("c", "b", "a")):  # "a" is the oldest
        cache.put(key, archive(cache, b"x" * 300), {})
        os.utime(cache.folder / key / "entry.json", (1000 - age, 1000 - age))
    assert cache.get("a") is not None  # used just now
    cache.put("d", archive(cache, b"x" * 300), {})
    assert sorted(path.name for path in cache.folder.iterdir()) == ["a", "c", "d"]


def test_what_is_larger_than_the_whole_cache_is_not_kept(cache: CompileCache) -> None:
    cache.put("small", archive(cache), {})
    cache.put("large", archive(cache, b"x" * 2000), {})
    assert sorted(path.name for path in cache.folder.iterdir()) == ["small"]


def test_many_at_once_find_a_whole_entry_or_none(cache: CompileCache) -> None:
    content = os.urandom(400)

    def work(number: int) -> None:
        own = CompileCache(cache.folder, cache.scratch / str(number), limit_bytes=1000)
        own.scratch.mkdir()
        for turn in range(20):
            key = str((number + turn) % 4)
            hit = own.get(key)
            if hit is None:
                own.put(key, archive(own, content), {})
            else:
                assert hit.archive.read_bytes() == content

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for entry in cache.folder.iterdir():
        assert {path.name for path in entry.iterdir()} == {"artifact.tar.gz", "entry.json"}
