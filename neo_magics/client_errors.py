"""botocore's errors in our words: what the backend said, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neo_magics.errors import ApiError, BackendError, NeoMagicsError
from neo_magics.settings import LOCAL, SAGEMAKER

_CREDENTIALS_HINT = "Run `aws configure` or `aws sso login`, or choose --backend local."
_SERVER_HINT = (
    "Take the key pair of that server (`neo-magics serve --environment` there prints it), "
    "or choose --backend local."
)
_REFUSED = {
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnrecognizedClientException",
    "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch", "ExpiredToken",
    "ExpiredTokenException", "MissingAuthenticationTokenException", "IncompleteSignature",
}  # fmt: skip


@contextmanager
def translated(backend: str) -> Iterator[None]:
    """Raise botocore's errors as BackendError (unreachable, refused) or ApiError (the API's own answers)."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, backend) from error


def explain(error: Exception, backend: str) -> NeoMagicsError:
    """The error to show for one of botocore's, raised while `backend` was used."""
    from botocore import exceptions as aws

    if isinstance(error, aws.ClientError):
        return _answered(error, backend)
    if isinstance(error, aws.ParamValidationError):
        return ApiError("ValidationException", str(error))
    if isinstance(error, aws.ConnectionError | aws.HTTPClientError):  # refused, time-out, TLS, proxy
        return BackendError(f"The backend {backend} cannot be reached: {error}.", hint=_reach_hint(backend))
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.CredentialRetrievalError):
        hint = _CREDENTIALS_HINT if backend == SAGEMAKER else _SERVER_HINT
        return BackendError(f"There are no usable AWS credentials: {error}.", hint=hint)
    hint = ""
    if isinstance(error, aws.ProfileNotFound):
        hint = "Correct AWS_PROFILE, or choose --backend local."
    if isinstance(error, aws.NoRegionError):
        hint = "Set AWS_DEFAULT_REGION or NEO_MAGICS_REGION."
    return BackendError(f"The backend {backend} cannot be used: {error}.", hint=hint)


def _answered(error: Any, backend: str) -> NeoMagicsError:
    detail = error.response.get("Error", {})
    code, message = str(detail.get("Code", "Unknown")), str(detail.get("Message") or error)
    if code in _REFUSED:
        hint = _CREDENTIALS_HINT if backend == SAGEMAKER else "Use the key pair of that server."
        return BackendError(f"The backend {backend} refused the caller: {code}: {message}", hint=hint)
    return ApiError(code, message)


def _reach_hint(backend: str) -> str:
    if backend == LOCAL:
        return "This should not happen without a network; please report it."
    if backend == SAGEMAKER:
        return "Check the network and the region, or choose --backend local."
    return "Start it with `neo-magics serve`, or choose --backend local."
