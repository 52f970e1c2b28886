"""An estimate speaks of earlier jobs of the same name and target only, and says when it was wrong."""

from datetime import timedelta

import pytest

from neo_magics.api.states import JobStatus as S
from neo_magics.widgets.estimate import Estimate, estimate

TAIL = "20261123-101530-ab1"


def ran(stage, name, seconds, monkeypatch, **output):
    """A completed job that took so long, by the service's clock."""
    from neo_magics.jobs import store

    job = stage.create(name, **output)
    stage.move(job, S.INPROGRESS)
    clock = store.now
    monkeypatch.setattr(store, "now", lambda: clock() + timedelta(seconds=seconds))
    stage.move(job, S.COMPLETED)
    monkeypatch.setattr(store, "now", clock)


@pytest.mark.parametrize(
    ("earlier", "passed", "words"),
    [
        ((), 3.0, ""),
        ((10.0, 12.0, 30.0), 2.0, "about 10 s left"),
        ((10.0, 12.0, 30.0), 20.0, "about 10 s left"),
        ((10.0,), 9.9, "about 1 s left"),
        ((400.0,), 1.0, "about 7 min left"),
        ((10.0, 12.0), 13.0, "longer than before (12.0 s)"),
    ],
)
def test_words(earlier, passed, words):
    assert Estimate(earlier).words(passed) == words


def test_only_jobs_of_this_name_and_target_that_were_compiled(stage, monkeypatch):
    ran(stage, f"net-local-{TAIL}1", 20, monkeypatch)
    ran(stage, f"net-local-{TAIL}2", 0.4, monkeypatch)  # from the cache
    ran(stage, f"bignet-local-{TAIL}3", 90, monkeypatch)
    ran(stage, f"net-local-{TAIL}4", 90, monkeypatch, TargetDevice="rasp4b")
    job = stage.create(f"net-local-{TAIL}5")
    (seconds,) = estimate(job, job.describe()).earlier
    assert seconds == pytest.approx(20, abs=1)
