"""This package's errors as HTTP answers: a status, and words for the user."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypedDict

from tornado.web import HTTPError

from neo_magics import errors

_API = {
    "ResourceNotFound": HTTPStatus.NOT_FOUND,
    "ResourceInUse": HTTPStatus.CONFLICT,
    "ResourceLimitExceeded": HTTPStatus.TOO_MANY_REQUESTS,
    "ServiceUnavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "InternalFailure": HTTPStatus.INTERNAL_SERVER_ERROR,
}
# The first that fits; the order is from the particular to the general.
_KINDS: tuple[tuple[type[errors.NeoMagicsError], HTTPStatus], ...] = (
    (errors.UsageError, HTTPStatus.BAD_REQUEST),
    (errors.InputError, HTTPStatus.BAD_REQUEST),
    (errors.JobFailedError, HTTPStatus.CONFLICT),
    (errors.ArtifactError, HTTPStatus.CONFLICT),
    (errors.BackendError, HTTPStatus.BAD_GATEWAY),
    (errors.ResourceError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.StorageError, HTTPStatus.BAD_GATEWAY),
)


class Refusal(TypedDict):
    """What the page gets in place of an answer."""

    message: str
    hint: str


class RefusedError(HTTPError):
    """An answer that says no; the handler's base writes `refusal` as JSON."""

    def __init__(self, error: errors.NeoMagicsError) -> None:
        super().__init__(status_of(error), error.message)
        self.refusal = refusal(error)


def refusal(error: errors.NeoMagicsError) -> Refusal:
    """The words of `error`; a hint that only a notebook understands is left out."""
    hint = "" if error.hint.startswith("%neo") else error.hint
    if status_of(error) == HTTPStatus.NOT_FOUND and not hint:
        hint = "It may have been deleted."
    return {"message": error.message, "hint": hint}


def status_of(error: errors.NeoMagicsError) -> int:
    """The HTTP status for `error`."""
    cause = error.__cause__
    if isinstance(cause, errors.ApiError) and cause.code in _API:
        return _API[cause.code]
    if isinstance(error, errors.ApiError):
        return _API.get(error.code, HTTPStatus.BAD_REQUEST)
    found = (status for kind, status in _KINDS if isinstance(error, kind))
    return next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
