"""Every route in one table."""

from __future__ import annotations

from typing import Any

from neo_magics.server import handlers
from neo_magics.server.stream import ChangesHandler

BASE = "/neo-magics"
_JOB = rf"{BASE}/jobs/([^/]+)"

ROUTES: list[tuple[str, Any]] = [
    (rf"{BASE}/jobs", handlers.JobsHandler),
    (rf"{BASE}/changes", ChangesHandler),
    (rf"{BASE}/targets", handlers.TargetsHandler),
    (_JOB, handlers.JobHandler),
    (rf"{_JOB}/panel", handlers.PanelHandler),
    (rf"{_JOB}/log", handlers.LogHandler),
    (rf"{_JOB}/stop", handlers.StopHandler),
    (rf"{_JOB}/report", handlers.ReportHandler),
    (rf"{_JOB}/comparison", handlers.ComparisonHandler),
    (rf"{_JOB}/profile", handlers.ProfileHandler),
    (rf"{_JOB}/artifact", handlers.ArtifactHandler),
    (rf"{_JOB}/artifact/download", handlers.DownloadHandler),
]
