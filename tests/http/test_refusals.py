"""What a caller without the right signature, size, rate or origin gets: AWS's codes, never a traceback."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from neo_magics.http.limits import Limits
from tests.http.conftest import Serve, Served

LIST = "SageMaker.ListCompilationJobs"


def _code(answer: httpx.Response) -> str:
    assert answer.headers["content-type"].startswith("application/x-amz-json-1.1")
    assert len(answer.headers["x-amzn-requestid"]) == 36
    return str(answer.json()["__type"])


def _error(served: Served, **changes: Any) -> dict[str, str]:
    with pytest.raises(ClientError) as refused:
        served.boto3("sagemaker", **changes).list_compilation_jobs()
    error: dict[str, str] = refused.value.response["Error"]
    return error


def test_a_right_signature_is_accepted(served: Served) -> None:
    assert served.post(b"{}", LIST).status_code == 200


def test_a_wrong_secret(served: Served) -> None:
    error = _error(served, aws_secret_access_key="wrong")
    assert error["Code"] == "InvalidSignatureException"
    assert error["Message"].startswith("The request signature we calculated does not match")


def test_an_unknown_access_key(served: Served) -> None:
    error = _error(served, aws_access_key_id="AKIAIOSFODNN7EXAMPLE")
    assert error["Code"] == "UnrecognizedClientException"


def test_another_region_and_another_service(served: Served) -> None:
    assert "valid region" in _error(served, region_name="eu-west-1")["Message"]
    body = b'{"logGroupName": "x"}'
    headers = served.signed(body, LIST) | {"x-amz-target": "Logs_20140328.DescribeLogStreams"}
    answer = httpx.post(served.url, content=body, headers=headers, trust_env=False)
    assert _code(answer) == "InvalidSignatureException"
    assert "scoped to correct service: 'logs'" in answer.json()["message"]


def test_no_signature(served: Served) -> None:
    answer = httpx.post(served.url, content=b"{}", headers={"x-amz-target": LIST}, trust_env=False)
    assert (answer.status_code, _code(answer)) == (400, "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("Basic dXNlcjpwYXNz", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=00", "IncompleteSignatureException"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=00",
            "UnrecognizedClientException",
        ),
    ],
)
def test_a_header_that_is_not_whole(served: Served, header: str, code: str) -> None:
    assert _code(served.post(b"{}", LIST, authorization=header)) == code


@pytest.mark.parametrize("minutes", [-6, 6, -60 * 24 * 3])
def test_a_stale_date(served: Served, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    then = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: then.replace(tzinfo=None))
    answer = served.post(b"{}", LIST)
    assert _code(answer) == "InvalidSignatureException"
    words = "Signature expired: " if minutes < 0 else "Signature not yet current: "
    assert answer.json()["message"].startswith(words + then.strftime("%Y%m%dT%H%M%SZ"))
    assert "5 min.)" in answer.json()["message"]


def test_a_date_that_is_none(served: Served) -> None:
    for text in ("yesterday", "99999999T999999Z"):
        assert _code(served.post(b"{}", LIST, **{"x-amz-date": text})) == "IncompleteSignatureException"


@pytest.mark.parametrize("name", ["host", "x-amz-date", "x-amz-target"])
def test_headers_that_must_be_signed(served: Served, name: str) -> None:
    headers = served.signed(b"{}", LIST)
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    fewer = ";".join(each for each in signed.split(";") if each != name)
    answer = served.post(b"{}", LIST, authorization=headers["authorization"].replace(signed, fewer))
    assert _code(answer) == "InvalidSignatureException"
    assert f"'{name}' must be a 'SignedHeader'" in answer.json()["message"]


def test_a_body_target_or_path_changed_on_the_way(served: Served) -> None:
    headers = served.signed(b'{"MaxResults": 1}', LIST)
    for url, body, change in (
        ("/", b'{"MaxResults": 2}', {}),
        ("/", b'{"MaxResults": 1}', {"x-amz-target": "SageMaker.DeleteCompilationJob"}),
        ("/?a=b", b'{"MaxResults": 1}', {}),
        ("/", b'{"MaxResults": 1}', {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
    ):
        answer = httpx.post(served.url + url, content=body, headers=headers | change, trust_env=False)
        assert _code(answer) == "InvalidSignatureException"


@pytest.mark.parametrize(
    "target", ["SageMaker.CreateEndpoint", "SageMaker.", "DynamoDB_20120810.GetItem", "x"]
)
def test_an_unknown_operation(served: Served, target: str) -> None:
    assert _code(served.post(b"{}", target)) == "UnknownOperationException"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"a":' * 500, b"[" * 100_000])
def test_a_body_that_is_no_json_object(served: Served, body: bytes) -> None:
    assert _code(served.post(body, LIST)) == "SerializationException"


def test_another_content_type(served: Served) -> None:
    headers = served.signed(b"{}", LIST)
    headers["authorization"] = headers["authorization"].replace("content-type;", "")
    answer = served.post(b"{}", LIST, **{"content-type": "text/plain"})
    assert _code(answer) in ("UnsupportedMediaTypeException", "InvalidSignatureException")


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [2_000_000, 40_000_000])
def test_a_body_over_the_limit(serve: Serve, chunked: bool, size: int) -> None:
    served = serve(Limits(body_bytes=10_000), max_running_jobs=0)
    body = b" " * size
    content = (body[i : i + 50_000] for i in range(0, len(body), 50_000)) if chunked else body
    answer = httpx.post(served.url, content=content, headers=served.signed(body, LIST), trust_env=False)
    assert (answer.status_code, _code(answer)) == (413, "RequestEntityTooLargeException")
    assert served.post(b"{}", LIST).status_code == 200


def test_a_body_that_never_ends_is_cut(serve: Serve) -> None:
    served = serve(Limits(body_bytes=10_000, dropped_bytes=200_000), max_running_jobs=0)
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as peer:
        head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer.sendall(head.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        # 130 MB; the server is done with the caller long before.
        with pytest.raises(OSError, match=r"reset|pipe"):
            peer.sendall(chunk * 2000)
    assert served.post(b"{}", LIST).status_code == 200


def test_too_many_requests(serve: Serve) -> None:
    served = serve(Limits(rate=0.01, burst=3), max_running_jobs=0)
    codes = [served.post(b"{}", LIST) for _ in range(5)]
    assert [answer.status_code for answer in codes] == [200, 200, 200, 400, 400]
    assert _code(codes[-1]) == "ThrottlingException"


def test_wrong_signatures_are_slowed_down_and_do_not_slow_the_owner(serve: Serve) -> None:
    served = serve(Limits(failures_rate=0.01, failures_burst=2), max_running_jobs=0)
    codes = [_code(served.post(b"{}", LIST, authorization="Basic x")) for _ in range(4)]
    assert codes == ["IncompleteSignatureException"] * 2 + ["ThrottlingException"] * 2
    assert served.post(b"{}", LIST).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
        {"host": "10.0.0.1"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/health", "/version"])
def test_web_pages_are_refused(served: Served, path: str, headers: dict[str, str]) -> None:
    method = "POST" if path == "/" else "GET"
    with httpx.Client(trust_env=False) as client:
        answer = client.request(method, served.url + path, headers=served.signed(b"", LIST) | headers)
    assert (answer.status_code, _code(answer)) == (403, "AccessDeniedException")
    assert "access-control-allow-origin" not in answer.headers


def test_health_and_version_need_no_signature(served: Served) -> None:
    assert httpx.get(served.url + "/health", trust_env=False).json() == {"status": "ok", "store": "ok"}
    assert httpx.get(served.url + "/version", trust_env=False).json()["version"] == "1.2.3"


def test_health_fails_where_the_store_is_gone(served: Served) -> None:
    for path in served.settings.home.glob("jobs.db*"):
        path.write_bytes(b"not a database" * 1000)
    answer = httpx.get(served.url + "/health", trust_env=False)
    assert (answer.status_code, answer.json()["status"]) == (503, "failing")


def test_other_paths_and_methods(served: Served) -> None:
    assert httpx.get(served.url + "/etc/passwd", trust_env=False).status_code == 404
    assert _code(httpx.get(served.url + "/", trust_env=False)) == "MethodNotAllowedException"


def _is_cut(served: Served, first: bytes, drip: bytes) -> bool:
    """Whether the server ends a connection that sends `first` and then `drip` again and again."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=1) as peer:
        peer.sendall(first)
        for _ in range(100):
            try:
                peer.sendall(drip)
                peer.settimeout(0.1)
                if peer.recv(4096) == b"" or first:
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
    return False


def test_headers_and_bodies_that_drip_are_cut(serve: Serve) -> None:
    served = serve(Limits(header_seconds=0.3, body_seconds=0.3), max_running_jobs=0)
    host = f"Host: 127.0.0.1:{served.port}\r\n".encode()
    assert _is_cut(served, b"", b"")
    assert _is_cut(served, b"POST / HTTP/1.1\r\n", b"x-a: b\r\n")
    assert _is_cut(served, b"POST / HTTP/1.1\r\n" + host + b"Content-Length: 1000\r\n\r\n", b"{")
    assert served.post(b"{}", LIST).status_code == 200


def test_more_connections_than_allowed_are_dropped_and_the_server_goes_on(serve: Serve) -> None:
    served = serve(Limits(connections=5), max_running_jobs=0)
    peers = [socket.create_connection(("127.0.0.1", served.port), timeout=5) for _ in range(12)]
    try:
        time.sleep(0.2)
    finally:
        for peer in peers:
            peer.close()
    for _ in range(50):
        try:
            assert served.post(b"{}", LIST).status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("The server did not come back.")


RAW = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda method, path, headers, body: b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, path, headers, body),
        st.sampled_from([b"POST", b"GET", b"PUT", b"OPTIONS", b"\x00"]),
        st.sampled_from([b"/", b"/health", b"/%00", b"//", b"/?%ff", b"*", b"http://x/", b"/\xff"]),
        st.lists(
            st.sampled_from(
                [
                    b"Host: 127.0.0.1",
                    b"Content-Length: 5",
                    b"Content-Length: -1",
                    b"Transfer-Encoding: chunked",
                ]
            )
            | st.sampled_from(
                [
                    b"Authorization: AWS4-HMAC-SHA256 Credential=\xff",
                    b"X-Amz-Target: \xe9",
                    b"Expect: 100-continue",
                ]
            )
            | st.binary(max_size=30),
            max_size=5,
        ).map(lambda lines: b"".join(line + b"\r\n" for line in lines)),
        st.binary(max_size=50),
    ),
)


def test_no_bytes_bring_the_server_down(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    @bounded(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(RAW)
    def send(raw: bytes) -> None:
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as peer:
            peer.sendall(raw)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(0.05)
            try:
                answer = peer.recv(65536)
            except (TimeoutError, ConnectionResetError):
                return
        assert not answer.startswith(b"HTTP/1.1 5")
        assert b"Traceback" not in answer

    send()
    assert "Traceback" not in caplog.text
    assert served.post(b"{}", LIST).status_code == 200


def test_no_signed_body_brings_the_server_down(served: Served) -> None:
    names = [
        f"SageMaker.{o}"
        for o in ("CreateCompilationJob", "ListCompilationJobs", "StopCompilationJob", "AddTags")
    ]
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda v: (
            st.lists(v, max_size=3)
            | st.dictionaries(
                st.sampled_from(["CompilationJobName", "Tags", "MaxResults", "InputConfig", "Framework"]),
                v,
                max_size=3,
            )
        ),
    )

    @bounded(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from([*names, "Logs_20140328.GetLogEvents"]),
        st.binary(max_size=60) | values.map(lambda v: json.dumps(v).encode()),
    )
    def send(target: str, body: bytes) -> None:
        answer = served.post(body, target)
        assert answer.status_code in (200, 400), answer.text

    send()
