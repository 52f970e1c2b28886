"""The S3 store against a server that speaks S3 over HTTP (moto), and against one that refuses."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from neo_magics.errors import StorageError
from neo_magics.settings import Settings
from neo_magics.storage import S3Store, open_store
from tests.storage.suite import BIG, OWN, ObjectStoreSuite

# Where a transfer is given up, boto3 leaves its socket to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Such sockets are collected here, and not in another module's test."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def peer(server: str, credentials: None) -> Any:
    """A client of our own choosing, and an empty server."""
    import urllib.request

    urllib.request.urlopen(
        urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=10
    ).close()
    return boto3.session.Session().client("s3", endpoint_url=server, region_name="us-east-1")


@pytest.fixture
def store(server: str, peer: Any) -> S3Store:
    return S3Store("us-east-1", endpoint=server, own_buckets=(OWN,))


class TestS3Store(ObjectStoreSuite):
    """All of the suite, over HTTP."""


def test_a_big_file_goes_up_in_parts(store: S3Store, peer: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(BIG))
    store.put(tmp_path / "f", f"s3://{OWN}/big")
    # The ETag of a multipart object ends with the number of its parts.
    assert peer.head_object(Bucket=OWN, Key="big")["ETag"].strip('"').endswith("-3")


def test_a_failed_upload_leaves_no_parts(store: S3Store, peer: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(BIG))

    def give_up(done: int, total: int) -> None:
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        store.put(tmp_path / "f", f"s3://{OWN}/big", give_up)
    assert peer.list_multipart_uploads(Bucket=OWN).get("Uploads", []) == []
    assert peer.list_objects_v2(Bucket=OWN)["KeyCount"] == 0


def test_the_own_bucket_is_made_in_the_region_of_the_settings(
    settings: Settings, server: str, peer: Any, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"x")
    chosen = replace(settings, s3_endpoint=server, region="eu-central-1")
    open_store(chosen).put(tmp_path / "f", f"s3://{chosen.bucket}/x")
    assert peer.get_bucket_location(Bucket=chosen.bucket)["LocationConstraint"] == "eu-central-1"


def test_without_credentials_the_error_says_where_to_put_them(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match="No credentials") as refused:
        S3Store("us-east-1", endpoint=server).get("s3://bucket/key", tmp_path / "t")
    assert "aws configure" in refused.value.hint


def test_a_server_out_of_reach_is_named(credentials: None, tmp_path: Path) -> None:
    # A port that nothing listens on: bound, and not listening.
    import socket

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        with pytest.raises(StorageError, match=f"Cannot reach {url}"):
            S3Store("us-east-1", endpoint=url).size("s3://bucket/key")


class _Refusing(BaseHTTPRequestHandler):
    """Answers every request with the status, code and headers of its server."""

    def _answer(self) -> None:
        status, code, headers = self.server.answer  # type: ignore[attr-defined]
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = (
            f"<Error><Code>{code}</Code><Message>No.</Message></Error>".encode()
            if self.command != "HEAD"
            else b""
        )
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing(credentials: None) -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        ((403, "AccessDenied", {}), "Access denied", "s3:GetObject"),
        ((403, "SignatureDoesNotMatch", {}), "does not accept these credentials|Access denied", ""),
        ((400, "ExpiredToken", {}), "expired|does not accept", ""),
        (
            (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-3"}),
            "in eu-west-3, not in us-east-1",
            "eu-west-3",
        ),
        ((404, "NoSuchBucket", {}), "bucket does not exist", "aws s3 mb"),
    ],
)
@pytest.mark.parametrize("action", ["put", "get", "size", "list"])
def test_what_s3_refuses_is_said_with_a_next_step(
    refusing: Any, tmp_path: Path, action: str, answer: tuple[int, str, dict[str, str]], says: str, hint: str
) -> None:
    refusing.answer = answer
    store = S3Store("us-east-1", endpoint=f"http://127.0.0.1:{refusing.server_port}")
    (tmp_path / "f").write_bytes(b"x")
    calls = {
        "put": lambda: store.put(tmp_path / "f", "s3://bucket/key"),
        "get": lambda: store.get("s3://bucket/key", tmp_path / "t"),
        "size": lambda: store.size("s3://bucket/key"),
        "list": lambda: list(store.list("s3://bucket/key")),
    }
    with pytest.raises(StorageError, match=says) as refused:
        calls[action]()
    assert hint in refused.value.hint
    assert refused.value.hint
    assert refused.value.fields["bucket"] == "bucket"
    assert not (tmp_path / "t").exists()
