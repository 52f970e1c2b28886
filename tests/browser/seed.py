"""A store with jobs in every state that stays as it is, for looking at."""

from __future__ import annotations

from neo_magics.api.events import LogLine, ReportEvent, StageEvent
from neo_magics.api.states import JobStatus
from neo_magics.measurement import save
from neo_magics.settings import Settings
from tests.server.sample import comparison
from tests.widgets.conftest import REASON, Stage

STAGES = {
    "fetch": 0.05,
    "import": 1.2,
    "optimize": 0.7,
    "build": 6.4,
    "verify": 0.9,
    "package": 0.1,
    "upload": 0.02,
}


def fill(settings: Settings) -> Stage:
    """Completed jobs, faster and slower, one that failed and one that was stopped."""
    stage = Stage(settings)
    resnet = stage.create("resnet18-local-20261123-101530-ab12")
    stage.move(resnet, JobStatus.INPROGRESS)
    stage.log(
        resnet,
        *(StageEvent(name, "done", took) for name, took in STAGES.items()),
        ReportEvent({"stages": STAGES}),
    )
    stage.move(resnet, JobStatus.COMPLETED)
    save(settings, resnet.name, comparison(9.8, 4.1))
    slow = stage.create("digitsnet-local-20261123-102011-77aa")
    stage.move(slow, JobStatus.INPROGRESS, JobStatus.COMPLETED)
    save(settings, slow.name, {**comparison(0.2, 0.31), "verdict": "1.6 × slower"})
    bert = stage.create("bert-base-rasp4b-20261123-102512-01cd", TargetDevice="rasp4b")
    stage.move(bert, JobStatus.INPROGRESS, JobStatus.COMPLETED)
    failed = stage.create("fancynet-ml-c5-20261123-103000-9f9f", TargetDevice="ml_c5")
    stage.move(failed, JobStatus.INPROGRESS)
    stage.log(failed, LogLine("importing"), StageEvent("import", "failed", 0.3))
    stage.move(failed, JobStatus.FAILED, failure_reason=REASON)
    stopped = stage.create("unet-local-20261123-103500-5e5e")
    stage.move(stopped, JobStatus.INPROGRESS, JobStatus.STOPPING, JobStatus.STOPPED)
    return stage
