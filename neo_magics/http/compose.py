"""Puts the server together: the local service of `settings` behind the endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from neo_magics.http.app import SERVICES, Endpoint
from neo_magics.http.credentials import KeyPair
from neo_magics.http.guard import Hosts
from neo_magics.http.limits import Limits
from neo_magics.http.sigv4 import Verifier
from neo_magics.jobs.executors.base import Executor
from neo_magics.jobs.store import JobStore
from neo_magics.settings import LOCAL, Settings

_HEALTH_SECONDS = 1.0  # a good answer is not asked for again before


@dataclass
class Service:
    """The endpoint, and what keeps it going and ends it."""

    endpoint: Endpoint
    executor: Executor
    store: JobStore

    def tend(self) -> None:
        """Start queued jobs and end those whose runner died, also while nobody asks."""
        self.executor.pump()

    def close(self) -> None:
        """Give back the store's connections; jobs go on."""
        self.store.close()


def compose(settings: Settings, keys: KeyPair, hosts: Hosts, limits: Limits, version: str) -> Service:
    """The service of this machine with the store and the folders of `settings`, whatever its backend.

    `version` is this package's, to be shown.

    Raises BackendError where the job store cannot be opened.
    """
    from neo_magics.jobs.dispatcher import Dispatcher
    from neo_magics.jobs.executors.local import LocalExecutor
    from neo_magics.jobs.logs import LogService
    from neo_magics.jobs.service import JobService

    own = replace(settings, backend=LOCAL)
    store = JobStore(own.url)
    executor = LocalExecutor(store, own)
    dispatcher = Dispatcher(JobService(store, executor, own), LogService(store.logs, own))
    endpoint = Endpoint(
        dispatch=dispatcher.dispatch,
        verifier=Verifier(keys, own.region, SERVICES),
        hosts=hosts,
        health=_health(own, store),
        version=_version(own, version),
        limits=limits,
    )
    return Service(endpoint, executor, store)


def _health(settings: Settings, store: JobStore) -> Callable[[], None]:
    from neo_magics.storage import open_store

    objects = open_store(settings)
    good_until = 0.0

    def check() -> None:
        nonlocal good_until
        if time.monotonic() < good_until:
            return
        store.running()
        objects.check()
        good_until = time.monotonic() + _HEALTH_SECONDS

    return check


def _version(settings: Settings, version: str) -> dict[str, Any]:
    import botocore

    from neo_magics.api.contract import service_model

    return {
        "name": "neo_magics",
        "version": version,
        "region": settings.region,
        "api": {name: service_model(name).api_version for name in SERVICES.values()},
        "botocore": botocore.__version__,
    }
