"""A real server on a port of loopback that the system chose, and a caller that signs as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from neo_magics.http.compose import compose
from neo_magics.http.credentials import KeyPair, load_or_create
from neo_magics.http.guard import hosts_for
from neo_magics.http.limits import Limits
from neo_magics.http.server import Listener, listen, make_server
from neo_magics.settings import Settings


@dataclass(frozen=True)
class Served:
    """A running server of this test's home."""

    url: str
    port: int
    keys: KeyPair
    settings: Settings

    def boto3(self, service: str, **changes: Any) -> Any:
        """A boto3 client with the server's keys; `changes` are other arguments of the client."""
        import boto3
        from botocore.config import Config

        arguments = {
            "endpoint_url": self.url,
            "region_name": self.settings.region,
            "aws_access_key_id": self.keys.access_key_id,
            "aws_secret_access_key": self.keys.secret_access_key,
            "config": Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        }
        return boto3.session.Session().client(service, **(arguments | changes))

    def post(self, body: bytes, target: str, **headers: str) -> httpx.Response:
        """POST a signed request; `headers` are added after signing."""
        signed = self.signed(body, target)
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(self.url + "/", content=body, headers=signed | headers)

    def signed(self, body: bytes, target: str) -> dict[str, str]:
        """The headers of a request that botocore signed."""
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        host = f"127.0.0.1:{self.port}"
        headers = {"host": host, "x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
        request = AWSRequest("POST", self.url + "/", headers=headers, data=body)
        keys = Credentials(self.keys.access_key_id, self.keys.secret_access_key)
        service = "logs" if target.startswith("Logs") else "sagemaker"
        SigV4Auth(keys, service, self.settings.region).add_auth(request)
        return {name.lower(): value for name, value in request.headers.items()}


Serve = Callable[..., Served]


@pytest.fixture
def serve(settings: Settings) -> Iterator[Serve]:
    """Starts servers in threads; all have ended at the end of the test."""
    running: list[tuple[Any, threading.Thread, Any, Listener]] = []

    def start(limits: Limits | None = None, **changes: Any) -> Served:
        own = replace(settings, **changes)
        keys = load_or_create(own.home)
        listener = listen("127.0.0.1", 0)
        service = compose(own, keys, hosts_for("127.0.0.1"), limits or Limits(), "1.2.3")
        server = make_server(service.endpoint)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener.socket]})
        thread.start()
        running.append((server, thread, service, listener))
        _await(lambda: server.started)
        return Served(listener.url, listener.port, keys, own)

    yield start
    for server, thread, service, _ in running:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()
        service.close()


@pytest.fixture
def served(serve: Serve) -> Served:
    """One server. Its queue takes no job, so that nothing is compiled unless a test wants it."""
    return serve(max_running_jobs=0)


def _await(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("The server did not start.")


def create_request(name: str) -> dict[str, Any]:
    """A valid CreateCompilationJob."""
    return {
        "CompilationJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/neo-magics-local",
        "InputConfig": {
            "S3Uri": "s3://neo-magics/model.tar.gz",
            "DataInputConfig": '{"x": [1, 3, 8, 8]}',
            "Framework": "ONNX",
        },
        "OutputConfig": {
            "S3OutputLocation": "s3://neo-magics/out/",
            "TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"},
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    }
