"""The jobs of one magic call, and how --wait waits for them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neo_magics.job import StoppedWaiting

if TYPE_CHECKING:
    from neo_magics.job import Job
    from neo_magics.magics.shell import NeoMagics
    from neo_magics.widgets.group_panel import GroupPanel
    from neo_magics.widgets.job_panel import JobPanel


@dataclass(frozen=True)
class Filed:
    """The jobs of one magic call, in the order of the targets, and the panel of all."""

    jobs: tuple[Job, ...]
    panel: JobPanel | GroupPanel

    @property
    def value(self) -> Any:
        """What the user's variable receives: the job, or a list of them."""
        return self.jobs[0] if len(self.jobs) == 1 else list(self.jobs)


async def wait_for(filed: Filed, owner: NeoMagics) -> Any:
    """Wait until the panel is frozen; the value is the job, or a list of them.

    Raises:
        StoppedWaiting: Ctrl-C; the jobs go on.
        JobFailedError: a job did not complete.
    """
    if not hasattr(owner.shell, "kernel"):
        return block_for(filed, owner)  # a terminal's Ctrl-C must land here, not in the event loop
    _follow(filed, owner)
    try:
        while not filed.panel.frozen.is_set():
            await asyncio.sleep(0.1)  # clicks are handled meanwhile
    except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
        raise _stopped(filed) from interrupt
    return _done(filed)


def block_for(filed: Filed, owner: NeoMagics) -> Any:
    """As `wait_for` where nothing awaits: the kernel hears no clicks meanwhile."""
    _follow(filed, owner)
    try:
        while not filed.panel.frozen.is_set():
            time.sleep(0.1)
    except KeyboardInterrupt as interrupt:
        raise _stopped(filed) from interrupt
    return _done(filed)


def _follow(filed: Filed, owner: NeoMagics) -> None:
    """Refresh the panel until it is frozen: a terminal's does not do so by itself."""
    if not filed.panel.frozen.is_set():
        owner.refresher.add_once(filed.panel)


def _stopped(filed: Filed) -> StoppedWaiting:
    return StoppedWaiting(", ".join(job.name for job in filed.jobs))


def _done(filed: Filed) -> Any:
    for job in filed.jobs:
        job.wait()
    return filed.value
