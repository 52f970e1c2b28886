"""Real boto3 clients for the chosen backend: this machine, SageMaker, or an endpoint URL.

For the local backend a client's requests never reach a socket: botocore's `before-send` event hands them
to the dispatcher that the HTTP server uses, in this process. Credentials and profiles of the user are not
read then, because there is nobody to show them to.
"""

from __future__ import annotations

import ipaddress
import json
import os
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from neo_magics.errors import BackendError, UsageError
from neo_magics.settings import LOCAL, SAGEMAKER, Settings

if TYPE_CHECKING:
    from neo_magics.jobs.dispatcher import Dispatcher
    from neo_magics.jobs.service import Executor
    from neo_magics.jobs.store import JobStore
    from neo_magics.storage import ObjectStore

SERVICES = ("sagemaker", "logs")
_NOWHERE = "http://neo-magics.invalid"  # a reserved name: a request that got past the handler goes nowhere


class Backend:
    """The chosen backend: its boto3 clients and its object store, each made when first asked for.

    `executor` replaces the local service's own (tests; other places to run). Make one Backend per process
    and pass it around: its clients share one session.
    """

    def __init__(self, settings: Settings, *, executor: Executor | None = None) -> None:
        self.settings = settings
        self._executor = executor
        if settings.backend not in (LOCAL, SAGEMAKER) and not _is_url(settings.backend):
            raise UsageError(
                f"{settings.backend!r} is not a backend.",
                hint="Use 'local', 'sagemaker', or the URL of a server, such as http://127.0.0.1:8765.",
            )

    @property
    def name(self) -> str:
        """ "local", "sagemaker" or the URL."""
        return self.settings.backend

    @property
    def is_local(self) -> bool:
        return self.settings.backend == LOCAL

    @cached_property
    def sagemaker(self) -> Any:
        """The boto3 client of the job API."""
        return self.client("sagemaker")

    @cached_property
    def logs(self) -> Any:
        """The boto3 client of the jobs' logs."""
        return self.client("logs")

    @cached_property
    def store(self) -> ObjectStore:
        """Where models and artifacts lie: folders for the local backend, else S3."""
        from neo_magics.storage import open_store

        return open_store(self.settings)

    @cached_property
    def job_store(self) -> JobStore:
        """The local service's store of jobs. Raises BackendError for other backends."""
        if not self.is_local:
            raise BackendError(f"The backend {self.name} keeps its jobs itself.")
        from neo_magics.jobs.store import JobStore

        return JobStore(self.settings.url)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """The local service. Raises BackendError for other backends."""
        from neo_magics.jobs.dispatcher import Dispatcher
        from neo_magics.jobs.logs import LogService
        from neo_magics.jobs.service import JobService

        store = self.job_store
        executor = self._executor or _local_executor(store, self.settings)
        return Dispatcher(JobService(store, executor, self.settings), LogService(store.logs, self.settings))

    def client(self, service: str, *, config: Any = None) -> Any:
        """A new boto3 client. `config` is a botocore Config to merge (timeouts, validation, …).

        Raises UsageError for a service that is neither "sagemaker" nor "logs" with the local backend, which
        has no S3: its objects are reached through `store`. Raises BackendError for a broken AWS set-up.
        """
        if service not in SERVICES and self.name != SAGEMAKER:
            raise UsageError(
                f"The backend {self.name} has no '{service}' client; it offers {' and '.join(SERVICES)}.",
                hint="Objects are read and written through Backend.store, or boto3 and your S3 endpoint.",
            )
        if self.is_local:
            return self._local_client(service, config)
        with self.translated():
            return self._remote_client(service, config)

    def translated(self) -> Any:
        """A context in which botocore's errors become BackendError or ApiError with a next step."""
        from neo_magics.client_errors import translated

        return translated(self.name)

    def _local_client(self, service: str, config: Any) -> Any:
        from botocore import UNSIGNED
        from botocore.config import Config

        own = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 2, "mode": "standard"})
        client = self._session.client(
            service,
            region_name=self.settings.region,
            endpoint_url=_NOWHERE,
            config=own.merge(config) if config else own,
        )
        client.meta.events.register_first(f"before-send.{service}.*", self._answer)
        return client

    def _answer(self, request: Any, **_event: Any) -> Any:
        """botocore's `before-send`: the answer to a request that is about to be sent."""
        from botocore.awsrequest import AWSResponse

        target = request.headers.get("X-Amz-Target", b"")
        target = target.decode() if isinstance(target, bytes) else str(target)
        answer = self.dispatcher.dispatch(target, _body(request.body))
        return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer.body))

    def _remote_client(self, service: str, config: Any) -> Any:
        if self.name == SAGEMAKER:
            return self._session.client(service, config=config)
        return self._session.client(service, endpoint_url=self.name, config=config)

    @cached_property
    def _session(self) -> Any:
        import boto3

        with self.translated():
            if self.is_local:
                return boto3.Session(botocore_session=_detached_session(), region_name=self.settings.region)
            pair = _own_key_pair(self.settings)
            session = boto3.Session(**pair)
            if session.region_name and not pair:
                return session
            # A server of our own knows the region of its settings, whatever AWS's is set to.
            return boto3.Session(**pair, region_name=self.settings.region)


def client(service: str, settings: Settings) -> Any:
    """A boto3 client of `service` ("sagemaker" or "logs") for the backend of `settings`."""
    return Backend(settings).client(service)


def boto3_client(service: str, backend: str | None = None, **settings: Any) -> Any:
    """A boto3 client of `service` for `backend`; without it, for the backend of the environment."""
    return client(service, Settings.from_environment(backend=backend, **settings))


class _Raw(BytesIO):
    """The part of urllib3's response that botocore reads."""

    def stream(self, **_options: Any) -> Any:
        yield self.read()


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else bytes(body.read())


def _detached_session() -> Any:
    """A botocore session that reads no profile, no credentials and no AWS_* variable of the user's."""
    from botocore.session import Session

    from neo_magics.api.contract import model_loader

    nothing = (None, None, None, None)
    session = Session(
        session_vars={
            "profile": nothing,
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    session.register_component("data_loader", model_loader())
    session.set_credentials("local", "local")
    return session


def _own_key_pair(settings: Settings) -> dict[str, str]:
    """The key pair of our own server on this machine; nothing for any other backend."""
    path = settings.home / "credentials.json"
    if settings.backend == SAGEMAKER or not _is_loopback(settings.backend) or not path.is_file():
        return {}
    try:
        pair = json.loads(path.read_text(encoding="utf-8"))
        return {
            "aws_access_key_id": pair["access_key_id"],
            "aws_secret_access_key": pair["secret_access_key"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackendError(
            f"The key pair in {path} cannot be read: {error}.",
            hint="Delete the file and restart `neo-magics serve`, which makes a new one.",
        ) from error


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _local_executor(store: JobStore, settings: Settings) -> Executor:
    from neo_magics.jobs.executors.local import LocalExecutor

    return LocalExecutor(store, settings)
