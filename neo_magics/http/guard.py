"""Refuses browsers: a web page must not reach a service on this machine.

A page of another site is known by its Origin or Sec-Fetch-Site header; one whose name was made to point
here (DNS rebinding) by a Host header that is none of this server's names. Nothing is ever allowed to
cross origins, so there are no CORS headers.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers

from neo_magics.http.errors import denied

_FOREIGN_SITES = ("cross-site", "same-site")


@dataclass(frozen=True)
class Hosts:
    """The Host headers that are served: `names`, and IP literals: any, or only loopback ones."""

    names: frozenset[str]
    any_address: bool = False

    def allow(self, header: str) -> bool:
        """Whether a Host header (with or without port) is one of ours."""
        host = _without_port(header).lower().rstrip(".")
        if host in self.names:
            return True
        try:
            # A literal cannot be rebound: the browser was told this very address.
            return ip_address(host).is_loopback or self.any_address
        except ValueError:
            return False


def hosts_for(bound: str, extra: tuple[str, ...] = ()) -> Hosts:
    """The names of a server bound to `bound`: localhost, and where others can reach it this machine's own."""
    names = {"localhost", bound.lower(), *(name.lower() for name in extra)}
    loopback = is_loopback(bound)
    if not loopback:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Hosts(frozenset(names), any_address=not loopback)


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address) is only reachable from this machine."""
    try:
        return host.lower() == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_caller(headers: Headers, hosts: Hosts) -> None:
    """Raise ApiError for a request that a browser sent from a page, or to a name that is not ours."""
    if not hosts.allow(headers.get("host", "")):
        raise denied("This server is not known by the name in the Host header.")
    if headers.get("origin") or headers.get("sec-fetch-site") in _FOREIGN_SITES:
        raise denied("Requests from web pages are refused.")


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
