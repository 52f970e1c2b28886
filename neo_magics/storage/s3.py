"""Objects in S3, or in any server that speaks its protocol, through boto3.

Files over 8 MiB go up in parts, four at a time; S3 shows an object only when its last part is in, and a
failed upload's parts are aborted. A download is written beside its destination and renamed at the end.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from neo_magics.storage.base import Progress, missing_source
from neo_magics.storage.partial import partial, publish, worded
from neo_magics.storage.s3_errors import is_missing, translated
from neo_magics.storage.uri import check_bucket, join_uri, require_key, split_uri

PART_BYTES = 8 << 20
_PARTS_AT_A_TIME = 4
_CONNECT_SECONDS, _READ_SECONDS, _ATTEMPTS = 5, 60, 4


class S3Store:
    """An object store on S3 in `region`; `endpoint` names another server.

    Buckets in `own_buckets` are made when first written to. Credentials are the user's own, found where
    boto3 looks for them.
    """

    def __init__(self, region: str, *, endpoint: str = "", own_buckets: tuple[str, ...] = ()) -> None:
        self.region = region
        self.endpoint = endpoint
        self.own_buckets = own_buckets
        self._made: set[str] = set()
        self._client_lock = threading.Lock()
        self._lazy_client: Any = None

    def put(self, path: Path, uri: str, progress: Progress | None = None) -> None:
        """Upload the file at `path` to `uri`."""
        bucket, key = require_key(uri)
        if bucket in self.own_buckets and bucket not in self._made:
            self.ensure_bucket(bucket)
        try:
            file = path.open("rb")
            total = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise missing_source(path, uri, error) from error
        with file, worded(f"Cannot store {uri}", bucket, key), self._errors("store", bucket, key):
            # Not by name: boto3 leaves the file open where an upload fails.
            self._client.upload_fileobj(
                file, bucket, key, Config=_transfer(), Callback=_counted(progress, total)
            )

    def get(self, uri: str, path: Path, progress: Progress | None = None) -> None:
        """Download the object to the file `path`, which appears whole or not at all."""
        bucket, key = require_key(uri)
        with worded(f"Cannot write {uri} to {path}", bucket, key), self._errors("read", bucket, key):
            total = int(self._head(bucket, key)["ContentLength"])
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial(path.parent, f".{path.name[:100]}.") as (file, temporary):
                self._client.download_fileobj(
                    bucket, key, file, Config=_transfer(), Callback=_counted(progress, total)
                )
                publish(file, temporary, path, durable=False)

    def exists(self, uri: str) -> bool:
        """Whether the object exists. Without permission to know that is an error, not False."""
        bucket, key = require_key(uri)
        with self._errors("read", bucket, key):
            try:
                self._head(bucket, key)
            except self._client.exceptions.ClientError as error:
                if is_missing(error):
                    return False
                raise
        return True

    def size(self, uri: str) -> int:
        """Bytes of the object."""
        bucket, key = require_key(uri)
        with self._errors("read", bucket, key):
            return int(self._head(bucket, key)["ContentLength"])

    def delete(self, uri: str) -> None:
        """Remove the object."""
        bucket, key = require_key(uri)
        with self._errors("delete", bucket, key):
            self._client.delete_object(Bucket=bucket, Key=key)

    def list(self, uri: str) -> Iterator[str]:
        """Addresses of the objects whose key starts with that of `uri`, in order."""
        bucket, prefix = split_uri(uri)
        with self._errors("list", bucket, prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    yield join_uri(bucket, entry["Key"])

    def ensure_bucket(self, bucket: str) -> None:
        """Make the bucket in this store's region if it does not exist."""
        with self._errors("make the bucket", check_bucket(bucket), ""):
            try:
                self._client.head_bucket(Bucket=bucket)
            except self._client.exceptions.ClientError as error:
                if not is_missing(error):
                    raise
                self._create(bucket)
        self._made.add(bucket)

    def check(self) -> None:
        """Raise StorageError where the server cannot be reached or refuses the caller."""
        for bucket in self.own_buckets:
            with self._errors("look at the bucket", bucket, ""):
                try:
                    self._client.head_bucket(Bucket=bucket)
                except self._client.exceptions.ClientError as error:
                    if not is_missing(error):
                        raise

    def _create(self, bucket: str) -> None:
        # us-east-1 is the one region that S3 refuses to be told.
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        # Another process may be first.
        with contextlib.suppress(self._client.exceptions.BucketAlreadyOwnedByYou):
            self._client.create_bucket(Bucket=bucket, **({} if self.region == "us-east-1" else where))

    def _head(self, bucket: str, key: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.head_object(Bucket=bucket, Key=key)
        return answer

    def _errors(self, action: str, bucket: str, key: str) -> translated:
        return translated(
            action, bucket, key, region=self.region, endpoint=self.endpoint, has_bucket=self._has_bucket
        )

    def _has_bucket(self, bucket: str) -> bool:
        try:
            self._client.head_bucket(Bucket=bucket)
        except self._client.exceptions.ClientError as error:
            return not is_missing(error)
        return True

    @property
    def _client(self) -> Any:
        with self._client_lock:
            if self._lazy_client is None:
                self._lazy_client = _connect(self.region, self.endpoint)
            return self._lazy_client


def _connect(region: str, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        # Servers other than Amazon's seldom have a host name per bucket.
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    # A session of its own: boto3's default one is shared and not safe between threads.
    session = boto3.session.Session()
    return session.client("s3", region_name=region, endpoint_url=endpoint or None, config=config)


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(
        multipart_threshold=PART_BYTES,
        multipart_chunksize=PART_BYTES,
        max_concurrency=_PARTS_AT_A_TIME,
        preferred_transfer_client="classic",  # the other one has no abort of its own to rely on
    )


def _counted(progress: Progress | None, total: int) -> Callable[[int], None] | None:
    """boto3 reports bytes since the last call, from its threads, and takes back those of a retried part."""
    if progress is None:
        return None
    lock = threading.Lock()
    done = 0

    def count(moved: int) -> None:
        nonlocal done
        with lock:
            done += moved
            progress(done, total)

    return count
