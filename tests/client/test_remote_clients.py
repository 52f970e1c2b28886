"""boto3 clients of SageMaker and of an endpoint URL, and the errors on the way there."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSLError,
)

from neo_magics.client import Backend
from neo_magics.client_errors import explain
from neo_magics.errors import ApiError, BackendError, UsageError
from neo_magics.settings import Settings

ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=5)


class Recorder(BaseHTTPRequestHandler):
    """Answers like a job API and keeps the headers it was sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(dict(self.headers))  # type: ignore[attr-defined]
        code, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(code)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Recorder) as running:
        running.seen = []  # type: ignore[attr-defined]
        running.answer = (200, b'{"CompilationJobSummaries": []}')  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def backend_at(server: HTTPServer, settings: Settings) -> Backend:
    return Backend(Settings(home=settings.home, backend=f"http://127.0.0.1:{server.server_address[1]}"))


def test_our_own_server_is_asked_with_its_key_pair(server: HTTPServer, settings: Settings) -> None:
    pair = {"access_key_id": "NEOKEY", "secret_access_key": "secret"}
    (settings.folder("") / "credentials.json").write_text(json.dumps(pair))
    backend = backend_at(server, settings)
    assert backend.sagemaker.list_compilation_jobs()["CompilationJobSummaries"] == []
    (headers,) = server.seen  # type: ignore[attr-defined]
    assert headers["X-Amz-Target"] == "SageMaker.ListCompilationJobs"
    assert "Credential=NEOKEY/" in headers["Authorization"]
    assert "/us-east-1/sagemaker/" in headers["Authorization"]


def test_another_server_is_asked_with_the_users_credentials(
    server: HTTPServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "USERKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    backend = backend_at(server, settings)
    backend.sagemaker.list_compilation_jobs()
    backend.logs.describe_log_groups()
    first, second = server.seen  # type: ignore[attr-defined]
    assert "Credential=USERKEY/" in first["Authorization"]
    assert "/eu-central-1/" in first["Authorization"]
    assert second["X-Amz-Target"] == "Logs_20140328.DescribeLogGroups"


def test_no_credentials_at_all(
    server: HTTPServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    backend = backend_at(server, settings)
    with pytest.raises(BackendError, match="no usable AWS credentials") as caught, backend.translated():
        backend.sagemaker.list_compilation_jobs()
    assert "choose --backend local" in caught.value.hint
    assert "serve --environment" in caught.value.hint  # AWS's own set-up does not help there
    assert server.seen == []  # type: ignore[attr-defined]


def test_a_key_pair_file_that_is_broken(settings: Settings) -> None:
    (settings.folder("") / "credentials.json").write_text("{}")
    with pytest.raises(BackendError, match=r"credentials\.json cannot be read") as caught:
        _ = Backend(Settings(home=settings.home, backend="http://localhost:1")).sagemaker
    assert "neo-magics serve" in caught.value.hint


def test_nobody_listens(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        backend = Backend(Settings(home=settings.home, backend=url))
        unlucky = backend.client("sagemaker", config=ONCE)
        with pytest.raises(BackendError, match="cannot be reached") as caught, backend.translated():
            unlucky.list_compilation_jobs()
    assert "neo-magics serve" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "kind"),
    [("InvalidSignatureException", BackendError), ("AccessDeniedException", BackendError),
     ("ExpiredTokenException", BackendError), ("ValidationException", ApiError), ("Odd", ApiError)],
)  # fmt: skip
def test_answers_that_are_errors(
    server: HTTPServer, settings: Settings, monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    server.answer = (400, json.dumps({"__type": code, "message": "because"}).encode())  # type: ignore[attr-defined]
    backend = backend_at(server, settings)
    with pytest.raises(kind, match="because"), backend.translated():
        backend.sagemaker.list_compilation_jobs()


def test_sagemaker_is_the_users_own_session(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    backend = Backend(Settings(home=settings.home, backend="sagemaker"))
    assert backend.sagemaker.meta.endpoint_url == "https://api.sagemaker.us-west-2.amazonaws.com"
    assert backend.logs.meta.endpoint_url == "https://logs.us-west-2.amazonaws.com"
    assert backend.client("s3").meta.service_model.service_name == "s3"


def test_a_profile_that_is_not_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(BackendError, match=r"nobody.* could not be found") as caught:
        _ = Backend(Settings(home=settings.home, backend="sagemaker")).sagemaker
    assert "AWS_PROFILE" in caught.value.hint


def test_a_url_offers_no_s3_client(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no 's3' client"):
        Backend(Settings(home=settings.home, backend="http://127.0.0.1:1")).client("s3")


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), "cannot be reached"),
        (ConnectTimeoutError(endpoint_url="https://x"), "cannot be reached"),
        (SSLError(endpoint_url="https://x", error="bad certificate"), "bad certificate"),
        (NoCredentialsError(), "no usable AWS credentials"),
        (NoRegionError(), "NEO_MAGICS_REGION"),
        (ProfileNotFound(profile="p"), "AWS_PROFILE"),
        (BotoCoreError(), "cannot be used"),
    ],
)
@pytest.mark.parametrize("backend", ["sagemaker", "http://127.0.0.1:1", "local"])
def test_every_error_of_botocore_has_our_words(error: Exception, part: str, backend: str) -> None:
    explained = explain(error, backend)
    assert isinstance(explained, BackendError)
    assert part in str(explained)
