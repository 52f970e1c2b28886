"""A panel follows its job, measures at the end, freezes once, and then nothing runs any more."""

import threading
import time

import pytest

from neo_magics.api.events import LogLine, StageEvent
from neo_magics.api.states import JobStatus as S
from neo_magics.errors import ArtifactError, BackendError
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_panel import JobPanel, snapshot
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.refresher import Refresher
from tests.widgets.conftest import REASON


class Sheet:
    """A surface that keeps what it was shown."""

    def __init__(self):
        self.shown, self.frozen = [], []

    def show(self, view, note):
        assert not self.frozen
        html = frozen_html(view, note=note) if view.ended else live_html(view)
        self.shown.append((view.ended, html, job_text(view, note=note)))

    def freeze(self, html, text):
        self.frozen.append((html, text))


@pytest.fixture
def sheet():
    return Sheet()


def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def test_from_queued_to_frozen(stage, sheet):
    job = stage.create()
    panel = JobPanel(job, sheet)
    assert panel.refresh()
    assert "queued" in sheet.shown[-1][2]

    stage.move(job, S.INPROGRESS)
    stage.log(job, StageEvent("fetch", "started"), StageEvent("fetch", "done", 0.5), LogLine("hello"))
    assert panel.refresh()
    assert "fetch 0.5 s" in sheet.shown[-1][2]
    assert "hello" in sheet.shown[-1][1]

    stage.move(job, S.COMPLETED)
    assert not panel.refresh()
    assert panel.frozen.is_set()
    ((html, text),) = sheet.frozen
    assert "Completed" in html
    assert "completed" in text


def test_failed_shows_the_reason(stage, sheet):
    job = stage.create()
    stage.move(job, S.INPROGRESS)
    stage.log(job, StageEvent("import", "failed", 1.0))
    stage.move(job, S.FAILED, failure_reason=REASON)
    assert not JobPanel(job, sheet).refresh()
    assert "{Fancy, Odd}" in sheet.frozen[0][0]
    assert "{Fancy, Odd}" in sheet.frozen[0][1]


def test_a_stopped_job_is_not_measured(stage, sheet):
    job = stage.create()
    stage.move(job, S.INPROGRESS, S.STOPPING, S.STOPPED)
    panel = JobPanel(job, sheet, measure=lambda job: pytest.fail("measured"))
    assert not panel.refresh()
    assert "Stopped" in sheet.frozen[0][0]


def test_measuring_goes_on_in_the_background_and_its_failure_is_a_sentence(stage, sheet):
    job = stage.create()
    stage.move(job, S.INPROGRESS, S.COMPLETED)
    go = threading.Event()

    def measure(_job):
        go.wait(10)
        raise ArtifactError("This artifact was compiled for ARM64.")

    panel = JobPanel(job, sheet, measure=measure)
    assert panel.refresh()
    assert panel.refresh()
    assert "Measuring before and after" in sheet.shown[-1][1]
    go.set()
    wait_until(lambda: not panel.refresh())
    assert "Not measured: This artifact was compiled for ARM64." in sheet.frozen[0][0]
    assert len(sheet.frozen) == 1


def test_a_deleted_job_ends_as_it_was_last_seen(stage, sheet):
    job = stage.create()
    panel = JobPanel(job, sheet)
    stage.move(job, S.INPROGRESS)
    stage.log(job, StageEvent("fetch", "done", 0.5), StageEvent("import", "started"))
    assert panel.refresh()
    stage.move(job, S.STOPPING, S.STOPPED)
    job.delete()
    assert not panel.refresh()
    ((html, text),) = sheet.frozen
    assert "Deleted" in html
    assert "neo-started" not in html.split("</style>")[1]
    assert "fetch 0.5 s" in text


def test_a_lost_backend_freezes_the_panel_in_the_end(stage, sheet, monkeypatch):
    job = stage.create()
    panel = JobPanel(job, sheet)
    assert panel.refresh()

    def away():
        raise BackendError("The backend cannot be reached.", hint="Start it.")

    monkeypatch.setattr(job, "describe", away)
    looks = 0
    while panel.refresh():
        looks += 1
        assert looks < 100
    assert looks > 5
    assert panel.frozen.is_set()
    for said in sheet.frozen[0]:
        assert "The panel lost net-local-1." in said
        assert "The backend cannot be reached. Start it." in said


def test_one_timer_for_all_panels_that_ends_with_the_last(stage):
    jobs = [stage.create(f"net-{number}") for number in range(3)]
    sheets = [Sheet() for _ in jobs]
    refresher = Refresher(lambda: 0.01)
    before = threading.active_count()
    for job, sheet in zip(jobs, sheets, strict=True):
        refresher.add(JobPanel(job, sheet))
    assert threading.active_count() == before + 1
    wait_until(lambda: all(sheet.shown for sheet in sheets))
    for job in jobs:
        stage.move(job, S.STOPPED)
    wait_until(lambda: not refresher.running)
    assert all(len(sheet.frozen) == 1 for sheet in sheets)
    wait_until(lambda: threading.active_count() == before)

    late = Sheet()
    refresher.add(JobPanel(jobs[0], late))
    wait_until(lambda: late.frozen)


def test_a_broken_panel_does_not_stop_the_others(stage, sheet, caplog):
    class Broken:
        def refresh(self):
            raise RuntimeError("broken")

    job = stage.create()
    refresher = Refresher(lambda: 0.01)
    refresher.add(Broken())
    refresher.add(JobPanel(job, sheet))
    stage.move(job, S.STOPPED)
    wait_until(lambda: not refresher.running)
    assert len(sheet.frozen) == 1
    assert "broken" in caplog.text


def test_a_snapshot_of_a_running_job_catches_up(stage):
    job = stage.create()
    stage.move(job, S.INPROGRESS)
    stage.log(job, StageEvent("fetch", "done", 0.5), StageEvent("import", "started"))
    html, text = snapshot(job)
    assert "Compiling" in html
    assert "fetch 0.5 s" in text
