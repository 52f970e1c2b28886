"""Keys as file names: one to one, inside their folder, readable where the key is plain."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.errors import StorageError
from neo_magics.storage.names import decode, encode
from neo_magics.storage.uri import join_uri, split_uri

KEYS = st.one_of(
    st.text(min_size=1, max_size=300).filter(
        lambda t: t.isascii() or not any(0xD800 <= ord(c) < 0xE000 for c in t)
    ),
    st.lists(
        st.sampled_from(["a", "A", "..", ".", "", "a.b", "%d", "%o", "%41", "x" * 400, "é", "\0", "~"])
    ).map("/".join),
).filter(bool)


@given(KEYS, st.booleans())
def test_a_name_leads_back_to_its_key(key: str, fold_case: bool) -> None:
    assert decode(encode(key, fold_case=fold_case)) == key


@given(KEYS)
def test_a_name_stays_in_its_folder_and_within_the_limits_of_file_systems(key: str) -> None:
    path = encode(key)
    assert not path.is_absolute()
    assert all(part not in ("", ".", "..") and len(part) <= 255 and part.isascii() for part in path.parts)
    assert "\0" not in str(path)
    assert path.parts[0] != "%tmp"


@given(KEYS, KEYS)
def test_no_object_is_in_the_way_of_another(one: str, other: str) -> None:
    first, second = encode(one), encode(other)
    if one != other:
        assert first != second
        assert first not in second.parents
        assert second not in first.parents


@given(KEYS, KEYS)
def test_folded_names_differ_in_more_than_case(one: str, other: str) -> None:
    if one != other:
        folded = [str(encode(key, fold_case=True)).lower() for key in (one, other)]
        assert folded[0] != folded[1]


def test_plain_keys_are_plain_paths() -> None:
    assert encode("jobs/digits-1/model.tar.gz") == PurePosixPath("jobs/digits-1/model.tar.gz")
    assert encode("a") == PurePosixPath("a%o")
    assert encode("a/b.c") == PurePosixPath("a/b.c")
    assert encode("../x.y") == PurePosixPath("%2E.%d/x.y")


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bucket/a/b.tar.gz", ("bucket", "a/b.tar.gz")),
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket//a?b#c", ("my.bucket", "/a?b#c")),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a%20b", ("bucket", "a b")),
        ("https://s3.amazonaws.com/bucket/a", ("bucket", "a")),
        ("https://s3-us-west-2.amazonaws.com/bucket/a", ("bucket", "a")),
    ],
)
def test_an_address_has_a_bucket_and_a_key(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "bucket/key",
        "file:///etc/passwd",
        "s3:/b/k",
        "s3://../x",
        "s3://a/b",
        "s3://Bucket/b",
        "s3://a..b/c",
        "s3://.hidden/x",
        "s3://bucket\0/x",
        "s3://-bucket/x",
        "https://example.com/bucket/key",
        "s3://bucket/" + "k" * 1025,
    ],
)
def test_a_wrong_address_is_refused_with_a_next_step(uri: str) -> None:
    with pytest.raises(StorageError) as refused:
        split_uri(uri)
    assert refused.value.hint


@given(
    st.from_regex(r"[a-z0-9][a-z0-9-]{1,40}[a-z0-9]", fullmatch=True),
    KEYS.filter(lambda k: len(k.encode()) <= 1024),
)
def test_joining_and_splitting_are_inverse(bucket: str, key: str) -> None:
    assert split_uri(join_uri(bucket, key)) == (bucket, key)
