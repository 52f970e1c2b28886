"""A store and real runner processes, with small programs in the place of the compiler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from neo_magics.jobs.store import JobStore
from neo_magics.settings import Settings
from tests.jobs.shop import Shop
from tests.jobs.yard import Yard


@pytest.fixture
def store(settings: Settings) -> Iterator[JobStore]:
    """The job store of this test's home."""
    opened = JobStore(settings.url)
    yield opened
    opened.close()


@pytest.fixture
def yard(settings: Settings, store: JobStore, tmp_path: Path) -> Iterator[Yard]:
    """Jobs with real runners; none is left running at the end."""
    made = Yard(settings, store, tmp_path)
    yield made
    made.close()


@pytest.fixture
def shop(settings: Settings, tmp_path: Path) -> Iterator[Shop]:
    """Jobs of the real compiler."""
    made = Shop(settings, tmp_path)
    yield made
    made.close()
