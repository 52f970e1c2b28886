"""What all panels share: looks that may fail for a while, and an end after which nothing runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from html import escape
from typing import Protocol

from neo_magics.errors import NeoMagicsError
from neo_magics.widgets.style import card

PATIENCE = 25  # failed looks in a row before a panel gives up


class Freezes(Protocol):
    """Shows what stays of a panel."""

    def freeze(self, html: str, text: str, /) -> None: ...


class Panel(ABC):
    """Follows something on a surface. `refresh` is called by the one timer and never blocks long."""

    def __init__(self, subject: str, place: Freezes) -> None:
        """`subject`: what is followed, by name. `frozen` is set once nothing more will be shown."""
        self.frozen = threading.Event()
        self.subject = subject
        self._place = place
        self._failures = 0

    def refresh(self) -> bool:
        """Look and show what is new; False once the panel is frozen."""
        try:
            return self._refresh()
        except BaseException:
            self.frozen.set()  # it is refreshed no more, and a cell may be waiting for it
            raise

    def _refresh(self) -> bool:
        try:
            self._look()
        except NeoMagicsError as error:
            return self._lost(error)
        self._failures = 0
        return self._show()

    @abstractmethod
    def _look(self) -> None:
        """Read the present state."""

    @abstractmethod
    def _show(self) -> bool:
        """Show it; False once the panel is frozen."""

    def _freeze(self, html: str, text: str) -> None:
        self._place.freeze(html, text)
        self.frozen.set()

    def _lost(self, error: NeoMagicsError) -> bool:
        self._failures += 1
        if self._failures < PATIENCE:
            return True
        said = f"The panel lost {self.subject}."
        reason = f'<div class="neo-what">{escape(said)}</div><div>{escape(str(error))}</div>'
        self._freeze(card(f'<div class="neo-reason">{reason}</div>', label=said), f"{said} {error}")
        return False
