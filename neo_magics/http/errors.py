"""Refusals of the HTTP layer with AWS's codes, wording and status.

Sources: the answers of AWS's own JSON services, and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/CommonErrors.html.
"""

from __future__ import annotations

import json
import uuid

from neo_magics.errors import ApiError

JSON_TYPE = "application/x-amz-json-1.1"
REQUEST_ID = "x-amzn-RequestId"

# Every other code is a 400, as for all AWS JSON services.
_STATUS = {
    "AccessDeniedException": 403,
    "UnknownPathException": 404,
    "MethodNotAllowedException": 405,
    "RequestTimeoutException": 408,
    "RequestEntityTooLargeException": 413,
    "UnsupportedMediaTypeException": 415,
    "InternalFailure": 500,
}


def status_of(error: ApiError) -> int:
    """The HTTP status of `error`."""
    return _STATUS.get(error.code, 400)


def error_body(code: str, message: str) -> bytes:
    """The AWS JSON 1.1 body of an error; SDKs read either spelling of the member."""
    return json.dumps({"__type": code, "message": message, "Message": message}).encode()


def new_request_id() -> str:
    """A request id in AWS's form."""
    return str(uuid.uuid4())


def missing_token() -> ApiError:
    """No signature at all."""
    return ApiError("MissingAuthenticationTokenException", "Request is missing Authentication Token")


def incomplete(message: str) -> ApiError:
    """An Authorization header that lacks a part."""
    return ApiError("IncompleteSignatureException", message)


def invalid(message: str) -> ApiError:
    """A signature that is not of this request, this time or this service."""
    return ApiError("InvalidSignatureException", message)


def unknown_key() -> ApiError:
    """An access key that is not this server's."""
    return ApiError("UnrecognizedClientException", "The security token included in the request is invalid.")


def throttled() -> ApiError:
    """Too many requests."""
    return ApiError("ThrottlingException", "Rate exceeded")


def too_large(limit: int) -> ApiError:
    """A body over the limit."""
    return ApiError("RequestEntityTooLargeException", f"Request is larger than {limit} bytes")


def denied(message: str) -> ApiError:
    """A caller that is not served whoever signs."""
    return ApiError("AccessDeniedException", message)
