"""A request and its model archive become a job, or leave nothing behind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.api.constraints import member_path
from neo_magics.api.contract import find_violations, violation_error
from neo_magics.errors import ApiError, StorageError, UsageError
from neo_magics.job import Job

if TYPE_CHECKING:
    from neo_magics.capture.archive import ModelArchive
    from neo_magics.client import Backend

_CREATE = "CreateCompilationJob"
_HINTS = {
    "ResourceInUse": "Choose another --name, or leave it out to have one made up.",
    "ResourceLimitExceeded": "Wait for running jobs to end, or stop one: %neo jobs.",
    "compilationJobName": "A name has 1 to 63 letters, digits and hyphens, such as: --name net-1",
    "roleArn": "Such as: --role arn:aws:iam::123456789012:role/NAME",
}

_WORDS = {"CompilationJobName": "name", "RoleArn": "role"}


def check(request: dict[str, Any], backend: Backend) -> None:
    """Say what the backend would refuse, before anything is uploaded.

    What another machine can compile for is not known here: there only the members' forms are checked.

    Raises:
        UsageError: the message lists everything that is wrong.
    """
    found = list(find_violations(_CREATE, request, meaning=backend.is_local))
    if found:
        error = violation_error(found)
        hint = next((_HINTS[violation.path] for violation in found if violation.path in _HINTS), "")
        raise UsageError(f"The job was refused: {error.message}", hint=hint, code=error.code)


def check_members(members: Mapping[str, Any]) -> None:
    """Check members that the user has typed, before there is a request.

    Raises:
        UsageError: one has not the form that the contract gives it.
    """
    for name, value in members.items():
        path = member_path("", name)
        if any(violation.path == path for violation in find_violations(_CREATE, {name: value})):
            what = f"{value!r} cannot be the job's {_WORDS.get(name, name)}."
            raise UsageError(what, hint=_HINTS.get(path, ""))


def submit(archive: ModelArchive, request: dict[str, Any], backend: Backend) -> Job:
    """Upload `archive` to the key that `request` names, and create the job.

    Raises:
        UsageError: the service refused the request; what was uploaded is gone again.
    """
    uri = request["InputConfig"]["S3Uri"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tar.gz"
        archive.write(path, extras=backend.is_local or bool(archive.calibration))
        backend.store.put(path, uri)
    job = Job(request["CompilationJobName"], backend)
    try:
        with backend.translated():
            backend.sagemaker.create_compilation_job(**request)
    except KeyboardInterrupt:
        if not _is_ours(job, uri):
            _withdraw(uri, backend)
        raise
    except ApiError as error:
        if error.code == "ResourceInUse" and _is_ours(job, uri):
            return job
        _withdraw(uri, backend)
        hint = _HINTS.get(error.code, "")
        raise UsageError(f"The job was refused: {error.message}", hint=hint, code=error.code) from error
    return job


def _withdraw(uri: str, backend: Backend) -> None:
    with suppress(StorageError):  # the refusal says more
        backend.store.delete(uri)


def _is_ours(job: Job, uri: str) -> bool:
    """Whether a Create whose answer was lost, and which was sent again, had made the job."""
    try:
        return bool(job.describe().get("InputConfig", {}).get("S3Uri") == uri)
    except UsageError:
        return False  # deleted meanwhile
