"""The local service behind a real boto3 client, with nobody who would start the jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.config import Config

from neo_magics.client import Backend
from neo_magics.jobs.record import JobRecord
from neo_magics.jobs.store import JobStore
from neo_magics.settings import Settings


class IdleExecutor:
    """Leaves every job in the queue, and remembers which ones it was asked to stop."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def pump(self, *, force: bool = False) -> None:
        """Start nothing."""

    def stop(self, record: JobRecord) -> None:
        self.stopped.append(record.name)


@pytest.fixture
def executor() -> IdleExecutor:
    return IdleExecutor()


@pytest.fixture
def backend(settings: Settings, executor: IdleExecutor) -> Iterator[Backend]:
    """The local backend in this test's home; its queue is long enough for every test."""
    opened = Backend(replace(settings, max_pending_jobs=20_000), executor=executor)
    yield opened
    opened.job_store.close()


@pytest.fixture
def store(backend: Backend) -> JobStore:
    """The store below the service, for what only a runner does."""
    return backend.job_store


@pytest.fixture
def sagemaker(backend: Backend) -> Any:
    return backend.sagemaker


@pytest.fixture
def bare_sagemaker(backend: Backend) -> Any:
    """A client that sends what it is given: botocore's own validation is off."""
    return backend.client("sagemaker", config=Config(parameter_validation=False))


@pytest.fixture
def logs(backend: Backend) -> Any:
    return backend.logs
