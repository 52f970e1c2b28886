"""The jupyter-server extension behind JupyterLab's sidebar: the same jobs over REST and a stream."""

from __future__ import annotations

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from neo_magics.server.extension import NeoMagicsServer

    return [{"module": "neo_magics.server", "app": NeoMagicsServer}]
