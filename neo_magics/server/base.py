"""What all REST handlers share: the desk, threads for what blocks, and errors in a user's words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

from jupyter_server.base.handlers import APIHandler

from neo_magics.errors import NeoMagicsError
from neo_magics.server.desk import Desk
from neo_magics.server.refusals import RefusedError

AUTH_RESOURCE = "compilation_jobs"
_WORDS = {
    HTTPStatus.FORBIDDEN: "You may not do this on this server. Log in again, or ask its administrator.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address does not take that method.",
}


class DeskHandler(APIHandler):
    """A handler with a desk. `?backend=` chooses another than the server's own."""

    auth_resource = AUTH_RESOURCE

    @property
    def desk(self) -> Desk:
        """The desk that was asked for."""
        try:
            desk: Desk = self.settings["neo_magics_desks"].at(self.get_query_argument("backend", "")).desk
        except NeoMagicsError as error:
            raise RefusedError(error) from error
        return desk

    async def run(self, ask: Callable[..., Any], *arguments: Any) -> Any:
        """`ask(*arguments)` in a thread. Raises RefusedError for this package's errors."""
        try:
            return await asyncio.to_thread(ask, *arguments)
        except NeoMagicsError as error:
            raise RefusedError(error) from error

    def answer(self, body: Any) -> None:
        """Finish with `body` as JSON."""
        self.finish(json.dumps(body, default=_plain))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """`{message, hint}` for every failure, foreseen or not."""
        error = kwargs.get("exc_info", (None, None))[1]
        self.set_header("Content-Type", "application/json")
        if isinstance(error, RefusedError):
            self.finish(json.dumps(error.refusal))
            return
        unforeseen = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        other = "The server failed." if unforeseen else f"The server said no ({status_code})."
        message = _WORDS.get(HTTPStatus(status_code), other)
        self.finish(json.dumps({"message": message, "hint": "See the server's log." if unforeseen else ""}))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
