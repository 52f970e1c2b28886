"""Where state lives and which backend is used: one immutable value, read from the environment.

Everything of the local service lives below one folder, `home`, so that it can be moved, inspected and
deleted as a whole:

    jobs.db        the store (SQLite) unless `database_url` says otherwise
    buckets/       one folder per bucket; objects are plain files
    work/          one folder per running job; removed when the job ends
    tuning.db      what was measured of kernels (SQLite)
    cache/         compiled artifacts by content
    comparisons/   the latest comparison of each job, as JSON
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from neo_magics.errors import UsageError

LOCAL = "local"
SAGEMAKER = "sagemaker"
# Names the Python of another environment, where TensorFlow is.
TENSORFLOW_PYTHON = "NEO_MAGICS_TENSORFLOW_PYTHON"


@dataclass(frozen=True)
class Settings:
    """All settings. Each can be given by an environment variable NEO_MAGICS_<NAME>."""

    home: Path
    backend: str = LOCAL  # "local", "sagemaker" or an endpoint URL
    database_url: str = ""  # an SQLAlchemy URL; empty: SQLite in `home`
    region: str = "us-east-1"
    account_id: str = "000000000000"
    bucket: str = "neo-magics"  # where the magics put models and artifacts
    role_arn: str = "arn:aws:iam::000000000000:role/neo-magics-local"
    s3_endpoint: str = ""  # an S3 server; empty with the local backend: folders below `home`
    max_running_jobs: int = 1
    max_pending_jobs: int = 100
    memory_limit_mb: int = 0  # of a compile child; 0: three quarters of the machine's memory
    unpacked_limit_mb: int = 8192  # what a model archive may expand to
    heartbeat_seconds: float = 1.0
    stop_grace_seconds: float = 5.0  # between the polite stop and the kill

    @classmethod
    def from_environment(cls, **overrides: Any) -> Settings:
        """Defaults, then NEO_MAGICS_* variables, then `overrides` that are not None."""
        values: dict[str, Any] = {"home": default_home()}
        for field in fields(cls):
            text = os.environ.get(f"NEO_MAGICS_{field.name.upper()}")
            if text:
                values[field.name] = _convert(field.name, str(field.type), text)
        values.update({name: value for name, value in overrides.items() if value is not None})
        return replace(cls(home=Path(values.pop("home")).expanduser().absolute()), **values)

    def to_environment(self) -> dict[str, str]:
        """The variables that make a child process see these settings."""
        return {f"NEO_MAGICS_{f.name.upper()}": str(getattr(self, f.name)) for f in fields(self)}

    @property
    def url(self) -> str:
        """The store's SQLAlchemy URL."""
        return self.database_url or f"sqlite:///{self.home / 'jobs.db'}"

    def folder(self, name: str) -> Path:
        """`home/name`, made if missing, for this user only."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path


def default_home() -> Path:
    """The user's data folder for this application (platformdirs)."""
    import platformdirs

    return Path(platformdirs.user_data_dir("neo_magics", appauthor=False))


def _convert(name: str, type_name: str, text: str) -> Any:
    converters = {"int": int, "float": float, "Path": Path}
    try:
        return converters.get(type_name, str)(text)
    except ValueError as error:
        kind = "a whole number" if type_name == "int" else "a number"
        raise UsageError(
            f"NEO_MAGICS_{name.upper()} must be {kind}, got {text!r}.", hint="Correct or unset the variable."
        ) from error
