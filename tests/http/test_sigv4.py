"""The verifier accepts exactly what botocore signs; the key pair is made once and kept private."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.errors import ApiError, BackendError
from neo_magics.http.app import SERVICES
from neo_magics.http.credentials import KeyPair, credentials_path, load_or_create
from neo_magics.http.guard import hosts_for
from neo_magics.http.limits import TokenBuckets
from neo_magics.http.server import listen
from neo_magics.http.sigv4 import HttpRequest, Verifier

KEYS = KeyPair("AKNEOAAAAAAAAAAAAAAA", "secret" * 6)
VERIFIER = Verifier(KEYS, "us-east-1", SERVICES)


def _signed(body: bytes, **headers: str) -> HttpRequest:
    own = {"host": "127.0.0.1:1", "x-amz-target": "SageMaker.ListTags"} | headers
    request = AWSRequest("POST", "http://127.0.0.1:1/", headers=own, data=body)
    keys = Credentials(KEYS.access_key_id, KEYS.secret_access_key)
    SigV4Auth(keys, "sagemaker", "us-east-1").add_auth(request)
    return HttpRequest("POST", "/", "", [(k.lower(), v) for k, v in request.headers.items()], body)


# Header values that HTTP can carry: no surrounding blanks.
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(st.binary(max_size=200), VALUES)
def test_what_botocore_signs_is_accepted(body: bytes, value: str) -> None:
    assert VERIFIER.verify(_signed(body, **{"x-custom": value})) == KEYS.access_key_id


@given(st.binary(max_size=100), st.data())
def test_any_change_is_refused(body: bytes, data: Any) -> None:
    request = _signed(body)
    name, value = data.draw(st.sampled_from(request.headers))
    position = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(
        st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != value[position])
    )
    changed = value[:position] + other + value[position + 1 :]
    headers = [(key, changed if key == name else old) for key, old in request.headers]
    if changed.lower() == value.lower() and name == "authorization":
        return  # the names of signed headers are in any case
    with pytest.raises(ApiError):
        VERIFIER.verify(HttpRequest("POST", "/", "", headers, body))


def test_a_date_header_will_do_in_place_of_x_amz_date() -> None:
    signed = _signed(b"", date="Thu, 01 Jan 1970 00:00:00 GMT")
    assert signed.header("x-amz-date") == ""
    assert VERIFIER.verify(signed) == KEYS.access_key_id


def test_an_old_signature_is_told_when_it_expired() -> None:
    late = Verifier(KEYS, "us-east-1", SERVICES, clock=lambda: datetime(2999, 1, 1, tzinfo=UTC))
    with pytest.raises(
        ApiError, match=r"Signature expired: \d{8}T\d{6}Z is now earlier than 29981231T235500Z"
    ):
        late.verify(_signed(b""))


def test_the_key_pair_is_made_once_and_for_this_user_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        pairs = set(pool.map(lambda _: load_or_create(tmp_path / "home"), range(16)))
    (pair,) = pairs
    assert len(pair.access_key_id) == 20
    assert len(pair.secret_access_key) == 40
    assert pair.secret_access_key not in repr(pair)
    path = credentials_path(tmp_path / "home")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"access_key_id": "", "secret_access_key": ""}', "\x00"])
def test_a_file_that_is_no_key_pair_is_refused(tmp_path: Path, text: str) -> None:
    credentials_path(tmp_path).write_text(text)
    credentials_path(tmp_path).chmod(0o600)
    with pytest.raises(BackendError) as refused:
        load_or_create(tmp_path)
    assert refused.value.hint


def test_a_key_pair_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    credentials_path(tmp_path).chmod(0o644)
    with pytest.raises(BackendError, match="can be read by others"):
        load_or_create(tmp_path)


def test_tokens_come_back_with_time_and_callers_do_not_share_them() -> None:
    now = [0.0]
    buckets = TokenBuckets(rate=2, burst=3, clock=lambda: now[0])
    assert [buckets.take("a") for _ in range(4)] == [True, True, True, False]
    assert buckets.take("b")
    now[0] = 1.0
    assert [buckets.take("a") for _ in range(3)] == [True, True, False]


def test_as_many_callers_as_one_likes_take_bounded_memory() -> None:
    buckets = TokenBuckets(rate=1, burst=1)
    for number in range(5000):
        buckets.take(str(number))
    assert len(buckets._levels) <= 1024


def test_a_server_that_others_reach_answers_to_addresses_and_given_names() -> None:
    wide, narrow = hosts_for("0.0.0.0", ("neo.example",)), hosts_for("127.0.0.1")
    assert wide.allow("10.1.2.3:8765")
    assert wide.allow("NEO.example:8765")
    assert wide.allow("[fd00::1]:8765")
    assert not wide.allow("evil.example")
    assert narrow.allow("localhost:1")
    assert narrow.allow("[::1]:1")
    assert not narrow.allow("10.1.2.3:8765")


def test_a_port_in_use_is_said_so() -> None:
    first = listen("127.0.0.1", 0)
    try:
        with pytest.raises(BackendError, match=f"Port {first.port} of 127.0.0.1 is in use") as refused:
            listen("127.0.0.1", first.port)
        assert "--port" in refused.value.hint
    finally:
        first.socket.close()


@pytest.mark.parametrize(
    ("host", "port"), [("no-such-host.invalid", 1), ("192.0.2.1", 0), ("127.0.0.1", 70000)]
)
def test_an_address_that_cannot_be_listened_on_is_refused(host: str, port: int) -> None:
    with pytest.raises(BackendError, match="Cannot listen"):
        listen(host, port)
