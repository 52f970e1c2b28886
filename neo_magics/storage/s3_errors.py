"""botocore's errors in words that say what to do next."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from neo_magics.errors import NeoMagicsError, StorageError
from neo_magics.storage.base import missing_bucket, missing_object

_MISSING = {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}
_DENIED = {"403", "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem"}
_REGION = {
    "301",
    "400",
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
}
_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity"}
_EXPIRED = {"ExpiredToken", "TokenRefreshRequired", "RequestExpired", "ExpiredTokenException"}
_BUSY = {"SlowDown", "ServiceUnavailable", "503", "InternalError", "500", "RequestTimeout"}

_WORDS = (
    (
        _DENIED,
        "Access denied",
        "Ask for s3:GetObject, s3:PutObject and s3:ListBucket on it, or use your own bucket.",
    ),
    (_KEYS, "S3 does not accept these credentials", "Check the access key and its secret."),
    (_EXPIRED, "The credentials have expired", "Sign in again (`aws sso login`)."),
    (_BUSY, "S3 is busy or failing", "Try again later."),
)


def error_code(error: Any) -> str:
    """S3's code of a botocore ClientError; a HEAD has no body, so there it is the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_missing(error: Any) -> bool:
    """Whether a botocore ClientError says that the object or bucket does not exist."""
    return error_code(error) in _MISSING


class translated:
    """Within the block botocore's and boto3's errors become StorageError with `bucket`, `key` and `code`.

    `action` completes "Cannot … s3://bucket/key"; `has_bucket` is asked where S3 does not say whether the
    bucket or the key is missing.
    """

    def __init__(
        self,
        action: str,
        bucket: str,
        key: str,
        *,
        region: str,
        endpoint: str,
        has_bucket: Callable[[str], bool],
    ) -> None:
        self.action, self.bucket, self.key = action, bucket, key
        self.region, self.endpoint = region, endpoint
        self.has_bucket = has_bucket

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, NeoMagicsError | OSError | GeneratorExit):
            return
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
        from s3transfer.exceptions import RetriesExceededError as S3TransferFailed

        said = _innermost(error)
        if isinstance(said, ClientError):
            raise self._from_answer(said) from error
        if isinstance(said, BotoCoreError | Boto3Error | S3TransferFailed):
            raise self._from_client(said) from error

    def _from_answer(self, error: Any) -> StorageError:
        code = error_code(error)
        unsaid = code in _MISSING - {"NoSuchKey", "NoSuchBucket"}
        if code == "NoSuchBucket" or (unsaid and not (self.key and self.has_bucket(self.bucket))):
            return missing_bucket(self.bucket, f"Make it with `{self._cli('mb')}`.")
        if code in _MISSING:
            return missing_object(self.bucket, self.key)
        message, hint = self._words(code, error)
        return self._error(f"{message} ({code})", hint, code=code)

    def _words(self, code: str, error: Any) -> tuple[str, str]:
        actual = _bucket_region(error)
        if code in _REGION and actual != self.region and (actual or code != "400"):
            there = f"in {actual}" if actual else "in another region"
            return f"The bucket is {there}, not in {self.region}", f"Set NEO_MAGICS_REGION={actual or '…'}."
        if code == "400" and not actual:
            # A HEAD has no body to say which.
            hint = "Sign in again if they may have expired; else set NEO_MAGICS_REGION to the bucket's."
            return "S3 does not accept these credentials here", hint
        for codes, message, hint in _WORDS:
            if code in codes:
                return message, hint
        text = error.response.get("Error", {}).get("Message", "")
        return f"S3 refused: {text.rstrip('.')}", "See the S3 error code in the API reference."

    def _from_client(self, error: BaseException) -> StorageError:
        from botocore import exceptions

        server = self.endpoint or f"S3 in {self.region}"
        if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
            hint = "Run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            return self._error("No credentials for S3 were found", hint)
        if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
            return self._error(f"Cannot reach {server}", "Check the network and NEO_MAGICS_S3_ENDPOINT.")
        return self._error(str(error).rstrip("."), f"Check the settings for {server}.")

    def _error(self, message: str, hint: str, **fields: Any) -> StorageError:
        what = f"Cannot {self.action} s3://{self.bucket}/{self.key}".rstrip("/:")
        return StorageError(f"{what}: {message}.", hint=hint, bucket=self.bucket, key=self.key, **fields)

    def _cli(self, command: str) -> str:
        endpoint = f" --endpoint-url {self.endpoint}" if self.endpoint else ""
        return f"aws s3 {command} s3://{self.bucket} --region {self.region}{endpoint}"


def _innermost(error: BaseException) -> BaseException:
    """What S3 said: boto3 and s3transfer wrap it in errors of their own that have lost the code."""
    from boto3.exceptions import Boto3Error
    from s3transfer.exceptions import RetriesExceededError

    if isinstance(error, RetriesExceededError):
        last: BaseException | None = error.last_exception
        return last or error
    if isinstance(error, Boto3Error) and error.__context__:
        return _innermost(error.__context__)
    return error


def _bucket_region(error: Any) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region", ""))
