"""Saved latencies, read again only when their file has changed."""

from __future__ import annotations

from neo_magics.measurement import Latencies, comparison_path, read_latencies
from neo_magics.settings import Settings


class LatencyReader:
    """Reads the medians of jobs' saved comparisons, which hold every sample and are long."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, tuple[int, Latencies | None]] = {}

    def read(self, name: str) -> Latencies | None:
        """The latencies of job `name`, or None."""
        path = comparison_path(self._settings, name)
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            self._known.pop(name, None)
            return None
        known = self._known.get(name)
        if known is None or known[0] != changed:
            known = self._known[name] = (changed, read_latencies(path))
        return known[1]
