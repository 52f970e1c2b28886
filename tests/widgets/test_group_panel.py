"""Several jobs in one panel: followed together, compared at the end, frozen once."""

import threading

import pytest

from neo_magics.api.events import LogLine, StageEvent
from neo_magics.api.states import JobStatus as S
from neo_magics.errors import ArtifactError
from neo_magics.measurement import save
from neo_magics.runtime.comparison import Comparison
from neo_magics.widgets.group_html import group_live
from neo_magics.widgets.group_panel import GroupPanel
from tests.server.sample import comparison
from tests.widgets.conftest import REASON
from tests.widgets.test_job_panel import wait_until
from tests.widgets.test_panels_html import Balanced


class Sheet:
    """A surface that keeps what it was shown."""

    def __init__(self):
        self.shown, self.frozen = [], []

    def show(self, views, note):
        self.shown.append((group_live(views), note))

    def freeze(self, html, text):
        self.frozen.append((Balanced(html).text, text))


@pytest.fixture
def sheet():
    return Sheet()


@pytest.fixture
def jobs(stage):
    made = [
        stage.create("net-local-1"),
        stage.create("net-ml-c5-1", TargetDevice="ml_c5"),
        stage.create("net-rasp4b-1", TargetDevice="rasp4b"),
    ]
    for job in made[:2]:
        stage.move(job, S.INPROGRESS)
    return made


def end(stage, jobs):
    first, second, third = jobs
    stage.move(first, S.COMPLETED)
    stage.log(second, StageEvent("import", "failed", 0.1), LogLine("Next step: Replace them."))
    stage.move(second, S.FAILED, failure_reason=REASON)
    stage.move(third, S.INPROGRESS, S.COMPLETED)


def test_counts_while_they_run(jobs, sheet):
    assert GroupPanel(jobs, sheet, measure=None).refresh()
    page = Balanced(sheet.shown[-1][0])
    assert "3 jobs: 2 compiling, 1 queued" in page.text
    assert page.text.index("LINUX_X86_64") < page.text.index("ml_c5") < page.text.index("rasp4b")


def test_each_target_has_its_outcome(stage, jobs, sheet):
    asked = []

    def measure(completed):
        asked.extend(job.name for job in completed)
        body = comparison(0.2, 0.1)
        save(stage.backend.settings, "net-local-1", body)
        return Comparison.from_dict(body)

    panel = GroupPanel(jobs, sheet, measure=measure)
    end(stage, jobs)
    wait_until(lambda: not panel.refresh())
    ((html, text),) = sheet.frozen
    assert asked == ["net-local-1", "net-rasp4b-1"]
    assert panel.frozen.is_set()
    for said in (html, text):
        assert "3 jobs: 2 completed, 1 failed" in said
        assert "2.0 × faster" in said
        assert "{Fancy, Odd}" in said
        assert "Next step: Replace them." in said
        assert "not measured on this machine" in said


def test_where_none_runs_here_it_says_so(stage, jobs, sheet):
    def measure(_jobs):
        raise ArtifactError("This artifact was compiled for ARM64.")

    panel = GroupPanel(jobs, sheet, measure=measure)
    end(stage, jobs)
    wait_until(lambda: not panel.refresh())
    assert "Not measured: This artifact was compiled for ARM64." in sheet.frozen[0][0]


def test_nothing_runs_after_the_end(stage, jobs, sheet):
    before = threading.active_count()
    panel = GroupPanel(jobs, sheet, measure=None)
    end(stage, jobs)
    assert not panel.refresh()
    assert threading.active_count() == before
    assert len(sheet.frozen) == 1


def test_a_deleted_job_leaves_the_others_in_the_panel(stage, jobs, sheet):
    panel = GroupPanel(jobs, sheet, measure=None)
    assert panel.refresh()
    stage.move(jobs[2], S.STOPPED)
    jobs[2].delete()
    assert panel.refresh()
    assert "3 jobs: 2 compiling, 1 deleted" in Balanced(sheet.shown[-1][0]).text
    for job in jobs[:2]:
        stage.move(job, S.COMPLETED)
    assert not panel.refresh()
    assert "3 jobs: 2 completed, 1 deleted" in sheet.frozen[0][1]
