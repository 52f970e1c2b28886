"""Settings come from defaults, then the environment, then the caller."""

from __future__ import annotations

from pathlib import Path

import pytest

from neo_magics.errors import UsageError
from neo_magics.settings import Settings


def test_the_environment_overrides_the_defaults_and_the_caller_overrides_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEO_MAGICS_MAX_RUNNING_JOBS", "3")
    monkeypatch.setenv("NEO_MAGICS_BACKEND", "sagemaker")
    settings = Settings.from_environment(home=tmp_path, backend="http://127.0.0.1:9")
    assert (settings.home, settings.max_running_jobs, settings.backend) == (tmp_path, 3, "http://127.0.0.1:9")


def test_a_child_process_sees_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings.from_environment(
        home=tmp_path / "elsewhere", memory_limit_mb=512, stop_grace_seconds=0.5
    )
    for name, value in settings.to_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [("MAX_RUNNING_JOBS", "many"), ("HEARTBEAT_SECONDS", "soon"), ("MAX_PENDING_JOBS", "1.5")],
)
def test_a_value_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"NEO_MAGICS_{name}", text)
    with pytest.raises(UsageError, match=f"NEO_MAGICS_{name} must be .* got '{text}'"):
        Settings.from_environment()


def test_the_store_is_sqlite_in_home_unless_a_url_is_given(settings: Settings) -> None:
    assert settings.url == f"sqlite:///{settings.home}/jobs.db"
    url = "postgresql+psycopg://localhost/neo"
    assert Settings.from_environment(database_url=url).url == url


def test_a_folder_of_home_is_made_for_this_user_only(settings: Settings) -> None:
    assert settings.folder("cache").stat().st_mode & 0o077 == 0
