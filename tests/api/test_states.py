"""The states of a job, as the API names them, and the steps between them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from neo_magics.api.contract import service_model
from neo_magics.api.states import ACTIVE, STOPPABLE, TERMINAL, JobStatus, legal, sources

S = JobStatus


def test_the_states_are_those_of_the_service_model() -> None:
    assert {str(status) for status in JobStatus} == set(
        service_model("sagemaker").shape_for("CompilationJobStatus").enum
    )


@pytest.mark.parametrize(
    "life",
    [
        (S.STARTING, S.INPROGRESS, S.COMPLETED),
        (S.STARTING, S.INPROGRESS, S.FAILED),
        (S.STARTING, S.FAILED),
        (S.STARTING, S.STOPPED),
        (S.STARTING, S.INPROGRESS, S.STOPPING, S.STOPPED),
        (S.STARTING, S.STOPPING, S.FAILED),
    ],
)
def test_the_lives_of_a_job_are_legal(life: tuple[JobStatus, ...]) -> None:
    assert all(legal(before, after) for before, after in pairwise(life))


def test_nothing_leaves_a_terminal_state() -> None:
    assert not any(legal(ended, any_state) for ended in TERMINAL for any_state in JobStatus)


def test_a_stopping_job_never_completes_and_never_runs_on() -> None:
    assert not legal(S.STOPPING, S.COMPLETED)
    assert not legal(S.STOPPING, S.INPROGRESS)


def test_every_state_but_the_first_can_be_reached_and_every_active_one_left() -> None:
    assert all(sources(status) for status in JobStatus if status is not S.STARTING)
    assert not sources(S.STARTING)
    assert all(any(legal(status, other) for other in JobStatus) for status in ACTIVE)


def test_stop_is_for_jobs_that_can_become_stopping() -> None:
    assert sources(S.STOPPING) == STOPPABLE
