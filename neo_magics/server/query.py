"""The query string of a listing as ListCompilationJobs' members; the contract judges their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from neo_magics.api import contract
from neo_magics.errors import UsageError

OPERATION = "ListCompilationJobs"


def listing(query: Mapping[str, str]) -> dict[str, Any]:
    """The members that `query` gives, in boto3's types.

    Raises:
        UsageError: a member that the operation does not have, or a value of another type.
    """
    shape = contract.service_model("sagemaker").operation_model(OPERATION).input_shape
    found: dict[str, Any] = {}
    for name, text in query.items():
        if name not in shape.members:
            raise UsageError(f"{name!r} is not a filter of the job list.", hint=_near(name, shape.members))
        found[name] = _value(name, shape.members[name].type_name, text)
    return found


def _value(name: str, kind: str, text: str) -> Any:
    reader = _READERS.get(kind, str)
    try:
        return reader(text)
    except (ValueError, OverflowError, OSError) as error:
        wanted = "a whole number" if kind == "integer" else "a time: seconds since 1970, or 2026-11-23T10:00Z"
        raise UsageError(f"{name} must be {wanted}, not {text!r}.") from error


def _time(text: str) -> datetime:
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_READERS: Mapping[str, Callable[[str], Any]] = {"integer": int, "timestamp": _time}


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(known)}."
