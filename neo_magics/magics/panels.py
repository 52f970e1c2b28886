"""Opens a job's panel in the present front end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neo_magics.measurement import measure_here
from neo_magics.widgets.job_panel import JobPanel
from neo_magics.widgets.surfaces import NotebookSurface, TextSurface

if TYPE_CHECKING:
    from neo_magics.job import Job
    from neo_magics.magics.shell import NeoMagics


def open_panel(owner: NeoMagics, job: Job, *, measure: bool) -> JobPanel:
    """Show `job` under the running cell. In a notebook kernel the panel follows the job on its own."""
    live = hasattr(owner.shell, "kernel")
    surface = NotebookSurface(job.stop) if live else TextSurface()
    panel = JobPanel(job, surface, measure=measure_here if measure else None)
    if panel.refresh() and live:
        job.followers.append(panel.frozen)
        owner.refresher.add(panel)
    return panel
