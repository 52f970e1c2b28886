"""Opens a job's panel in the present front end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neo_magics.measurement import measure_group, measure_here
from neo_magics.widgets.group_panel import GroupPanel, NotebookGroup, TextGroup
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


def open_group(owner: NeoMagics, jobs: Sequence[Job], *, measure: bool) -> GroupPanel:
    """As `open_panel`, for several jobs of one model."""
    live = hasattr(owner.shell, "kernel")
    surface = NotebookGroup(jobs) if live else TextGroup()
    panel = GroupPanel(jobs, surface, measure=measure_group if measure else None)
    if panel.refresh() and live:
        for job in jobs:
            job.followers.append(panel.frozen)
        owner.refresher.add(panel)
    return panel
