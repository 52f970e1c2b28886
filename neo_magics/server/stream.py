"""The stream of changes: a websocket that gets the list, then what changes in it."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from neo_magics.errors import NeoMagicsError
from neo_magics.server.base import AUTH_RESOURCE
from neo_magics.server.refusals import RefusedError
from neo_magics.server.watcher import Message, Watcher


class ChangesHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One listener of a backend's watcher. What the page sends is not read."""

    auth_resource = AUTH_RESOURCE
    watcher: Watcher | None = None

    @ws_authenticated
    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the websocket."""
        try:
            self.watcher = (
                self.settings["neo_magics_desks"].at(self.get_query_argument("backend", "")).watcher
            )
        except NeoMagicsError as error:
            raise RefusedError(error) from error
        await super().get(*args, **kwargs)

    def open(self, *args: Any, **kwargs: Any) -> None:
        """Begin to listen."""
        super().open(*args, **kwargs)
        if self.watcher:
            self.watcher.add(self.tell)

    def tell(self, message: Message) -> None:
        """Send `message` on; a page that has just gone is forgotten."""
        try:
            self.write_message(json.dumps(message))
        except WebSocketClosedError:
            self.on_close()

    def on_message(self, _message: str | bytes) -> None:
        """The page has nothing to say."""

    def on_close(self) -> None:
        """Listen no more."""
        if self.watcher:
            self.watcher.remove(self.tell)
