"""Which backends the server opens."""

from __future__ import annotations

import pytest

from neo_magics.errors import UsageError
from neo_magics.server.desks import Desks


def test_each_backend_is_opened_once(settings):
    desks = Desks(settings)
    assert desks.at("") is desks.at("local")
    assert desks.at("http://127.0.0.1:8765/") is desks.at("http://127.0.0.1:8765")


@pytest.mark.parametrize("name", ["elsewhere", "file:///etc/passwd", "http://user:secret@127.0.0.1:8765"])
def test_what_is_no_backend_is_refused(settings, name):
    with pytest.raises(UsageError) as refused:
        Desks(settings).at(name)
    assert "secret" not in str(refused.value)


def test_only_so_many(settings):
    desks = Desks(settings)
    for port in range(8000, 8008):
        desks.at(f"http://127.0.0.1:{port}")
    with pytest.raises(UsageError, match="open already"):
        desks.at("local")
