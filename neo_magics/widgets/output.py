"""Puts a MIME bundle into the output of the running cell."""

from __future__ import annotations

from typing import Any


def show_bundle(bundle: dict[str, Any], display_id: str | None = None, *, update: bool = False) -> None:
    """Show `bundle`, under `display_id` if it may be replaced later; `update` replaces what was shown."""
    import IPython.display as ipython

    show: Any = ipython.update_display if update else ipython.display
    show(bundle, raw=True, **({"display_id": display_id} if display_id else {}))
