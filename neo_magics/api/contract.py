"""The contract is botocore's installed service model; nothing of it is retyped here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from neo_magics.api.constraints import Violation, violations
from neo_magics.api.semantics import semantic_violations
from neo_magics.errors import ApiError

# CloudWatch Logs has its own name for the same answer.
_CODES = {"sagemaker": "ValidationException", "logs": "InvalidParameterException"}


@lru_cache(maxsize=1)
def model_loader() -> Any:
    """botocore's loader of service models; sharing it means that each model is parsed once in a process."""
    from botocore.loaders import create_loader

    return create_loader()


@lru_cache(maxsize=2)
def service_model(service: str) -> Any:
    """botocore's ServiceModel of "sagemaker" or "logs"."""
    from botocore.model import ServiceModel

    return ServiceModel(model_loader().load_service_model(service, "service-2"), service)


def validate(operation: str, request: Mapping[str, Any], *, service: str = "sagemaker") -> None:
    """Check a request in its wire form (times in seconds since the epoch).

    Raises ApiError ValidationException (InvalidParameterException for logs) that lists all violations.
    """
    found = list(find_violations(operation, request, service=service))
    if found:
        raise violation_error(found, service=service)


def violation_error(found: Sequence[Violation], *, service: str = "sagemaker") -> ApiError:
    """The answer that lists `found`."""
    errors = "error" if len(found) == 1 else "errors"
    text = "; ".join(map(str, found))
    return ApiError(_CODES[service], f"{len(found)} validation {errors} detected: {text}")


def find_violations(
    operation: str, request: Mapping[str, Any], *, service: str = "sagemaker", meaning: bool = True
) -> Iterator[Violation]:
    """All violations: the service model's first, then, with `meaning`, what members that passed mean."""
    shape = service_model(service).operation_model(operation).input_shape
    structural = list(violations(shape, request))
    yield from structural
    broken = {violation.path for violation in structural}
    if meaning and service == "sagemaker":
        yield from (found for found in semantic_violations(operation, request) if not _within(found, broken))


def to_datetime(value: float | datetime) -> datetime:
    """A time of the wire as an aware datetime in UTC."""
    return value if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


def _within(violation: Violation, broken: set[str]) -> bool:
    path = violation.path
    return any(
        path == other or path.startswith(other + ".") or other.startswith(path + ".") for other in broken
    )
