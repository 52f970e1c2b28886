"""Checks AWS Signature Version 4 in the Authorization header, with botocore's own signer.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. The signature
is recomputed from the request as it came and compared in constant time; the body is part of it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from neo_magics.http.credentials import KeyPair
from neo_magics.http.errors import incomplete, invalid, missing_token, unknown_key

ALGORITHM = "AWS4-HMAC-SHA256"
TOLERANCE = timedelta(minutes=5)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_PARAMETER = re.compile(r"\s*(\w+)=([^\s,]*)\s*")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came: `headers` with lower-case names, in order; `body` whole."""

    method: str
    path: str
    query: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """The first value of the header, or empty."""
        return next((value for key, value in self.headers if key == name), "")


@dataclass(frozen=True)
class Authorization:
    """The parts of an Authorization header; `scope` is date, region, service and "aws4_request"."""

    access_key_id: str
    scope: tuple[str, str, str, str]
    signed_headers: tuple[str, ...]
    signature: str


@dataclass(frozen=True)
class Verifier:
    """Accepts requests signed with `keys` for `region`; `services` maps a target's prefix to its service."""

    keys: KeyPair
    region: str
    services: Mapping[str, str]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def verify(self, request: HttpRequest) -> str:
        """The access key id that signed `request`; raises ApiError with AWS's code otherwise."""
        given = parse_authorization(request)
        if not hmac.compare_digest(given.access_key_id.encode(), self.keys.access_key_id.encode()):
            raise unknown_key()
        timestamp = self._check_time(request, given)
        self._check_scope(request, given)
        _check_signed_headers(request, given)
        _check_body_hash(request)
        expected = self._signature(request, given, timestamp)
        if not hmac.compare_digest(expected.encode(), given.signature.encode()):
            raise invalid(_MISMATCH)
        return given.access_key_id

    def _check_time(self, request: HttpRequest, given: Authorization) -> str:
        signed, now = _signing_time(request), self.clock()
        timestamp, date = signed.strftime(_TIMESTAMP), given.scope[0]
        if date != timestamp[:8]:
            raise invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                f"'{date}' != '{timestamp[:8]}', from '{timestamp}'."
            )
        for late, edge, words, sign in (
            (signed < now - TOLERANCE, now - TOLERANCE, "Signature expired: {} is now earlier than", "-"),
            (
                signed > now + TOLERANCE,
                now + TOLERANCE,
                "Signature not yet current: {} is still later than",
                "+",
            ),
        ):
            if late:
                limit, at = edge.strftime(_TIMESTAMP), now.strftime(_TIMESTAMP)
                raise invalid(f"{words.format(timestamp)} {limit} ({at} {sign} 5 min.)")
        return timestamp

    def _check_scope(self, request: HttpRequest, given: Authorization) -> None:
        _, region, service, terminator = given.scope
        if region != self.region:
            raise invalid(f"Credential should be scoped to a valid region ('{self.region}').")
        expected = self.services.get(request.header("x-amz-target").partition(".")[0])
        if service not in ([expected] if expected else self.services.values()):
            raise invalid(f"Credential should be scoped to correct service: '{expected or 'sagemaker'}'.")
        if terminator != "aws4_request":
            raise invalid("Credential should be scoped with a valid terminator: 'aws4_request'.")

    def _signature(self, request: HttpRequest, given: Authorization, timestamp: str) -> str:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        keys = Credentials(self.keys.access_key_id, self.keys.secret_access_key)
        auth: Any = SigV4Auth(keys, given.scope[2], self.region)
        # The client says which headers it signed; botocore would take all but some.
        auth.headers_to_sign = lambda again: again.headers
        query = f"?{request.query}" if request.query else ""
        # Only path and query of the URL are signed; the host is, as a header.
        url = f"http://host{request.path}{query}"
        again = AWSRequest(method=request.method, url=url, data=request.body)
        again.context["timestamp"] = timestamp
        for name, value in request.headers:
            if name in given.signed_headers:
                again.headers.add_header(name, value)
        return str(auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again))


def parse_authorization(request: HttpRequest) -> Authorization:
    """The parts of the Authorization header; raises ApiError naming each one that is missing."""
    header = request.header("authorization")
    if not header:
        raise missing_token()
    algorithm, _, rest = header.partition(" ")
    if algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:40]}'. Use {ALGORITHM}.")
    found = [_PARAMETER.fullmatch(part) for part in rest.split(",")]
    values = {match[1]: match[2] for match in found if match}
    lacking = [name for name in ("Credential", "Signature", "SignedHeaders") if not values.get(name)]
    if lacking:
        raise incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in lacking))
    key_id, *scope = values["Credential"].split("/")
    if len(scope) != 4:
        raise incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term."
        )
    signed = tuple(values["SignedHeaders"].lower().split(";"))
    date, region, service, terminator = scope
    return Authorization(key_id, (date, region, service, terminator), signed, values["Signature"])


def _signing_time(request: HttpRequest) -> datetime:
    text = request.header("x-amz-date") or request.header("date")
    if not text:
        raise incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    with suppress(ValueError):
        return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise incomplete("Date must be in ISO-8601 'basic format'.") from error


def _check_signed_headers(request: HttpRequest, given: Authorization) -> None:
    date = "x-amz-date" if request.header("x-amz-date") else "date"
    for name in ("host", date, "x-amz-target"):
        if request.header(name) and name not in given.signed_headers:
            raise invalid(f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_body_hash(request: HttpRequest) -> None:
    claimed = request.header("x-amz-content-sha256")
    actual = hashlib.sha256(request.body).hexdigest()
    if claimed and not hmac.compare_digest(claimed.encode(), actual.encode()):
        raise invalid("The value of 'x-amz-content-sha256' does not match the SHA-256 of the body.")
