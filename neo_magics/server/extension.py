"""The extension's composition root: settings in, routes and their collaborators out."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp

from neo_magics.server.desks import Desks
from neo_magics.server.routes import ROUTES
from neo_magics.settings import Settings


class NeoMagicsServer(ExtensionApp):
    """Serves the jobs of the backends that the environment and the user's settings name."""

    name = "neo_magics"
    load_other_extensions = True

    def initialize_settings(self) -> None:
        """Make the desks; nothing is opened before the first request."""
        self.settings["neo_magics_desks"] = Desks(Settings.from_environment())

    def initialize_handlers(self) -> None:
        """Add every route of the table."""
        self.handlers.extend(ROUTES)

    async def stop_extension(self) -> None:
        """End the watchers."""
        await self.settings["neo_magics_desks"].close()
