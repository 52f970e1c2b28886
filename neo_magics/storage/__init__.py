"""Put and get of objects: a folder per bucket, or S3 through boto3."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from neo_magics.errors import UsageError
from neo_magics.settings import LOCAL, SAGEMAKER, Settings
from neo_magics.storage.base import ObjectStore, Progress
from neo_magics.storage.folder import FolderStore
from neo_magics.storage.s3 import S3Store
from neo_magics.storage.uri import join_uri, split_uri

__all__ = ["FolderStore", "ObjectStore", "Progress", "S3Store", "join_uri", "open_store", "split_uri"]


def open_store(settings: Settings) -> ObjectStore:
    """The object store of `settings`; opens no connection yet.

    The local backend, and a server on this machine, keep objects in folders below ``home/buckets`` unless
    an S3 server is named. A server elsewhere needs one: raises UsageError without.
    """
    own = (settings.bucket,)
    if settings.s3_endpoint or settings.backend == SAGEMAKER:
        return S3Store(settings.region, endpoint=settings.s3_endpoint, own_buckets=own)
    if settings.backend == LOCAL or _is_loopback(settings.backend):
        return FolderStore(settings.home / "buckets", own_buckets=own)
    raise UsageError(
        f"The backend {settings.backend} needs an S3 server for models and artifacts.",
        hint="Set NEO_MAGICS_S3_ENDPOINT to one that both reach; https://s3.amazonaws.com is Amazon's.",
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
