"""Opens a job's panel in the present front end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from neo_magics.job import StoppedWaiting
from neo_magics.measurement import measure_group, measure_here
from neo_magics.widgets.group_panel import GroupPanel, NotebookGroup, TextGroup
from neo_magics.widgets.job_panel import JobPanel
from neo_magics.widgets.surfaces import NotebookSurface, TextSurface

if TYPE_CHECKING:
    from neo_magics.job import Job
    from neo_magics.magics.shell import NeoMagics
    from neo_magics.widgets.surfaces import Output


_OF_PYTHON = re.compile(r"_\d+_\d+")  # jupyter_client ends a message's id with its process and a count


def is_live(owner: NeoMagics) -> bool:
    """Whether the front end replaces what it has shown, as a panel that follows its job needs it.

    A terminal does not, nor does jupyter console or qtconsole: Python programs that let a cell ask
    questions, and say nothing of cells in their requests.
    """
    if not hasattr(owner.shell, "kernel"):
        return False
    request = owner.shell.get_parent()
    of_python = _OF_PYTHON.search(str(request.get("header", {}).get("msg_id", "")))
    return bool(is_executed(owner) or not of_python or request.get("metadata"))


def is_executed(owner: NeoMagics) -> bool:
    """Whether a program executes the notebook: nbclient, and so nbconvert, papermill and nbval.

    They let a cell ask no questions; a person's front end does.
    """
    if not hasattr(owner.shell, "kernel"):
        return False
    request = owner.shell.get_parent().get("content", {})
    return not request.get("allow_stdin", True)


def linger(owner: NeoMagics, panel: JobPanel | GroupPanel) -> None:
    """Where a program executes the notebook, wait until `panel` is frozen.

    It hears nothing after the last cell's end.

    Raises:
        StoppedWaiting: the kernel was interrupted; the jobs go on.
    """
    if not is_executed(owner):
        return
    try:
        panel.frozen.wait()
    except KeyboardInterrupt as interrupt:
        raise StoppedWaiting(panel.subject) from interrupt


def open_panel(owner: NeoMagics, job: Job, *, measure: bool, place: Output | None = None) -> JobPanel:
    """Show `job` under the running cell, or in `place`; in a notebook the panel follows it on its own."""
    live = is_live(owner)
    surface = NotebookSurface(job.stop, place) if live else TextSurface()
    panel = JobPanel(job, surface, measure=measure_here if measure else None)
    if panel.refresh() and live:
        job.followers.append(panel.frozen)
        owner.refresher.add(panel)
    return panel


def open_group(
    owner: NeoMagics, jobs: Sequence[Job], *, measure: bool, place: Output | None = None
) -> GroupPanel:
    """As `open_panel`, for several jobs of one model."""
    live = is_live(owner)
    surface = NotebookGroup(jobs, place) if live else TextGroup()
    panel = GroupPanel(jobs, surface, measure=measure_group if measure else None)
    if panel.refresh() and live:
        for job in jobs:
            job.followers.append(panel.frozen)
        owner.refresher.add(panel)
    return panel
