"""One request of AWS JSON 1.1 in, one answer out; boto3 in process and the HTTP server both end here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from neo_magics.api import contract
from neo_magics.errors import ApiError, NeoMagicsError, ResourceError

CONTENT_TYPE = "application/x-amz-json-1.1"
_STATUS = {"InternalFailure": 500, "ServiceUnavailable": 503}
_SERVICES = {"SageMaker": "sagemaker", "Logs_20140328": "logs"}

Request = dict[str, Any]


class Operations(Protocol):
    """A service: its operations by the API's names, dict in, dict out."""

    @property
    def operations(self) -> Mapping[str, Callable[[Request], dict[str, Any]]]: ...


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, JSON body, headers."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class Dispatcher:
    """Finds the operation, validates the request, and puts results and errors in AWS's form."""

    def __init__(self, service: Operations, logs: Operations) -> None:
        self._services = {"sagemaker": service, "logs": logs}

    def dispatch(self, target: str, body: bytes) -> Answer:
        """The answer to `body` for the X-Amz-Target `target`; never raises for what a caller can send."""
        prefix, _, operation = target.partition(".")
        service = _SERVICES.get(prefix, "sagemaker")
        try:
            handler = self._handler(prefix, operation)
            request = _read(body)
            contract.validate(operation, request, service=service)
            result = handler(_with_times(service, operation, request))
            return Answer(200, _write(result), _headers())
        except ApiError as error:
            return error_answer(error.code, str(error), service)
        except NeoMagicsError as error:
            code = "ServiceUnavailable" if isinstance(error, ResourceError) else "InternalFailure"
            return error_answer(code, str(error), service)

    def _handler(self, prefix: str, operation: str) -> Callable[[Request], dict[str, Any]]:
        service = self._services.get(_SERVICES.get(prefix, ""))
        if service is None or operation not in service.operations:
            offered = sorted(name for each in self._services.values() for name in each.operations)
            what = f"'{operation or prefix}' is not an operation of this service."
            raise ApiError("UnknownOperationException", what, hint=f"Offered are {', '.join(offered)}.")
        return service.operations[operation]


def error_answer(code: str, message: str, service: str = "sagemaker") -> Answer:
    """An error in AWS's form; the HTTP server uses it for what happens before dispatching."""
    name = "message" if service == "logs" else "Message"
    body = json.dumps({"__type": code, name: message}).encode()
    return Answer(_STATUS.get(code, 400), body, _headers() | {"x-amzn-ErrorType": code})


def _headers() -> dict[str, str]:
    return {"Content-Type": CONTENT_TYPE, "x-amzn-RequestId": str(uuid.uuid4())}


def _read(body: bytes) -> Request:
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(";")[0]  # what follows is advice to programmers
        raise ApiError("SerializationException", f"The request is not JSON: {reason}.") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "Start of structure or map found where not expected.")
    return request


def _with_times(service: str, operation: str, request: Request) -> Request:
    """`request` without nulls, and with the times of its members as datetimes."""
    shape = contract.service_model(service).operation_model(operation).input_shape
    result: Request = {}
    for name, value in request.items():
        if value is not None:
            is_time = shape.members[name].type_name == "timestamp"
            result[name] = contract.to_datetime(value) if is_time else value
    return result


def _write(result: Mapping[str, Any]) -> bytes:
    # An operation without output answers with an empty body, as AWS does.
    return json.dumps(result, default=_wire, separators=(",", ":")).encode() if result else b""


def _wire(value: Any) -> float:
    if isinstance(value, datetime):
        return round(value.astimezone(UTC).timestamp(), 3)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
