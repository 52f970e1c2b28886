"""One model of the zoo through a job, and what came of it."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import neo_magics
from neo_magics.client import Backend
from neo_magics.errors import InputError, JobFailedError, NeoMagicsError
from neo_magics.settings import TENSORFLOW_PYTHON
from tests.zoo.entry import Entry

PASSED, REFUSED, WRONG, FAILED, SKIPPED = "passed", "refused", "wrong", "failed", "skipped"
_OURS = "ServerError"  # a failure that nobody meant: a crash, a bug


@dataclass
class Outcome:
    """`status` is one of the five above; `expected` whether it is what the entry says.

    `why` is the reason where it did not pass. `given` is "archive" for files as Neo takes them, else
    "object". `difference` is the largest absolute one that the job's verification found, `relative` the same
    as a share of the largest output, `free` whether the number of rows stays free. `before_ms` and
    `after_ms` are medians where they were measured: of the framework itself and of the compiled model.
    """

    framework: str
    name: str
    status: str
    expected: bool
    why: str = ""
    data: str = ""
    given: str = ""
    difference: float | None = None
    relative: float | None = None
    reference: str = ""
    free: bool | None = None
    seconds: float = 0.0
    before_ms: float | None = None
    after_ms: float | None = None
    inputs: list[str] = field(default_factory=list)


def outcome(entry: Entry, backend: Backend, measure_seconds: float = 0.0) -> Outcome:
    """Make the entry's model, compile it in a job, wait; measure before and after where seconds are given."""
    missing = [name for name in entry.needs if not _installed(name)]
    if missing:
        return _ended(entry, SKIPPED, f"not installed: {', '.join(missing)}")
    start = time.monotonic()
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        result = _compiled(entry, backend, Path(folder), measure_seconds)
    result.seconds = round(time.monotonic() - start, 1)
    return result


def _installed(name: str) -> bool:
    if name == "tensorflow" and os.environ.get(TENSORFLOW_PYTHON):
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def _compiled(entry: Entry, backend: Backend, folder: Path, measure_seconds: float) -> Outcome:
    try:
        given = entry.make(folder)
        job = neo_magics.compile(given.model, backend=backend, wait=True, **given.options)
    except JobFailedError as error:
        return _ended(entry, _kind(error), str(error.fields["reason"]))
    except NeoMagicsError as error:
        return _ended(entry, REFUSED if isinstance(error, InputError) else FAILED, str(error))
    except Exception as error:  # noqa: BLE001 - the zoo reports it and goes on
        return _ended(entry, FAILED, f"{type(error).__name__}: {error}")
    result = _passed(entry, job, measure_seconds)
    result.given = "archive" if isinstance(given.model, str | Path) else "object"
    return result


def _kind(error: JobFailedError) -> str:
    if error.fields["stage"] == "verify" and "CompilationError" in error.fields["reason"]:
        return WRONG
    return FAILED if str(error.fields["reason"]).startswith(_OURS) else REFUSED


def _passed(entry: Entry, job: Any, measure_seconds: float) -> Outcome:
    checked = job.report["verification"]
    if not checked:
        return _ended(entry, FAILED, "the result was not checked against the framework")
    result = _ended(entry, PASSED)
    inputs = job.load().inputs
    result.inputs = [str(spec) for spec in inputs]
    result.free = any(isinstance(spec.shape[0], str) for spec in inputs if spec.shape)
    result.difference = float(checked["max_abs_difference"])
    result.relative = float(checked["max_rel_difference"])
    result.reference = str(checked["reference"])
    if measure_seconds:
        comparison = job.compare(seconds=measure_seconds)
        result.before_ms, result.after_ms = comparison.before.median_ms, comparison.after.median_ms
        if not comparison.difference["within_tolerance"]:
            result.status, result.expected = WRONG, False
            result.why = f"differs when it is measured: {comparison.difference}"
    return result


def _ended(entry: Entry, status: str, why: str = "") -> Outcome:
    fits = (status == REFUSED and entry.refused in why) if entry.refused else status == PASSED
    return Outcome(entry.framework, entry.name, status, fits or status == SKIPPED, why=why, data=entry.data)
