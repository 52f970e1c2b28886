"""Nobody gets in without a token, nor past an authorizer that says no: every route, from the table."""

from __future__ import annotations

import re

import pytest
from tornado.httpclient import HTTPClientError

from neo_magics.server.routes import ROUTES

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OFFERED = [
    (re.sub(r"\(\[\^/\]\+\)", "some-job", pattern).strip("/"), method)
    for pattern, handler in ROUTES
    for method in METHODS
    if method.lower() in vars(handler)
]
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def test_every_route_offers_something():
    assert len({path for path, _method in OFFERED}) == len(ROUTES)


def test_the_server_has_no_other_route_of_this_package(jp_serverapp):
    served = [
        rule.target
        for host in jp_serverapp.web_app.default_router.rules
        for rule in host.target.rules
        if getattr(rule.target, "__module__", "").startswith("neo_magics")
    ]
    assert served == [handler for _pattern, handler in ROUTES]


@pytest.mark.parametrize(("path", "method"), OFFERED, ids=[f"{m} {p}" for p, m in OFFERED])
async def test_without_a_token(desks, http_server_client, jp_base_url, path, method):
    with pytest.raises(HTTPClientError) as refused:
        await http_server_client.fetch(
            f"{jp_base_url}{path}", method=method, body="" if method == "POST" else None
        )
    assert refused.value.code == 403


class Nobody:
    """An authorizer that allows nothing."""

    def is_authorized(self, *_asked):
        return False


@pytest.mark.parametrize(("path", "method"), OFFERED, ids=[f"{m} {p}" for p, m in OFFERED])
async def test_not_authorized(desks, jp_serverapp, jp_fetch, path, method):
    jp_serverapp.web_app.settings["authorizer"] = Nobody()
    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(path, method=method, body="" if method == "POST" else None)
    assert refused.value.code == 403


@pytest.mark.parametrize("handler", [handler for _pattern, handler in ROUTES])
def test_every_handler_names_what_is_authorized(handler):
    assert handler.auth_resource == "compilation_jobs"
