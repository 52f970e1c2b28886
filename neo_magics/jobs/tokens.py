"""Opaque paging tokens: JSON in URL-safe base64 with a check sum, so that a damaged one is noticed."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any


class InvalidTokenError(ValueError):
    """A text that is not a token of ours."""


def pack_token(values: list[Any]) -> str:
    """A token that holds `values`."""
    body = json.dumps(values, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.crc32(body).to_bytes(4, "big") + body).decode().rstrip("=")


def unpack_token(token: str) -> list[Any]:
    """The values of a token. Raises InvalidTokenError."""
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        if zlib.crc32(data[4:]) != int.from_bytes(data[:4], "big"):
            raise InvalidTokenError("wrong check sum")
        values = json.loads(data[4:])
    except (binascii.Error, UnicodeError, json.JSONDecodeError, ValueError) as error:
        raise InvalidTokenError(str(error)) from error
    if not isinstance(values, list):
        raise InvalidTokenError("not a list")
    return values
