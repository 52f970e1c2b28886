"""Addresses of objects: ``s3://bucket/key``, and the https forms that SageMaker's S3Uri also allows."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from neo_magics.errors import StorageError

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (general purpose buckets)
_BUCKET = re.compile(r"(?=.{3,63}\Z)[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*(?<!-)")
_VIRTUAL_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-]([a-z0-9-]+\.)*amazonaws\.com(\.cn)?")
_PATH_HOST = re.compile(r"s3[.-]([a-z0-9-]+\.)*amazonaws\.com(\.cn)?")
KEY_LIMIT = 1024  # bytes of a key in UTF-8


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `uri`; the key is empty where only a bucket is named.

    Raises StorageError for another scheme, a bucket name that S3 would refuse, or a key over 1024 bytes.
    """
    scheme, separator, rest = uri.partition("://")
    if separator and scheme == "s3":
        bucket, _, key = rest.partition("/")
    elif separator and scheme == "https":
        bucket, key = _split_https(uri)
    else:
        raise StorageError(f"Not an S3 address: {uri!r}.", hint="Write it as s3://bucket/key.", uri=uri)
    return check_bucket(bucket), check_key(key)


def join_uri(bucket: str, key: str) -> str:
    """``s3://bucket/key``."""
    return f"s3://{bucket}/{key}"


def check_bucket(bucket: str) -> str:
    """`bucket`, or a StorageError where S3's naming rules refuse it."""
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise StorageError(
            f"The specified bucket is not valid. Bucket: {bucket!r}.",
            hint="A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens.",
            bucket=bucket,
        )
    return bucket


def check_key(key: str) -> str:
    """`key`, or a StorageError where it is too long or not text."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise StorageError(
            f"The key {key!r} is not valid text.", hint="Use Unicode text.", key=key
        ) from error
    if length > KEY_LIMIT:
        raise StorageError(
            f"Your key is too long: {length} bytes, S3 allows {KEY_LIMIT}.", hint="Shorten it.", key=key
        )
    return key


def require_key(uri: str) -> tuple[str, str]:
    """Like `split_uri`, for an object: an address without a key is a StorageError."""
    bucket, key = split_uri(uri)
    if not key:
        raise StorageError(
            f"{uri!r} names a bucket and no object.",
            hint="Write it as s3://bucket/key.",
            bucket=bucket,
            key="",
        )
    return bucket, key


def _split_https(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    host, path = parts.hostname or "", unquote(parts.path.removeprefix("/"))
    if _PATH_HOST.fullmatch(host):
        bucket, _, key = path.partition("/")
        return bucket, key
    match = _VIRTUAL_HOST.fullmatch(host)
    if match:
        return match["bucket"], path
    raise StorageError(f"Not an S3 address: {uri!r}.", hint="Write it as s3://bucket/key.", uri=uri)
