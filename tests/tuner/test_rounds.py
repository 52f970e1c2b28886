"""What is timed, in which order, for how long, and what is left when it is cut off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from neo_magics.api.events import Event, LogLine, ProgressEvent
from neo_magics.tuner.database import FILE, Database, Result, best
from neo_magics.tuner.rounds import BATCH, summary
from tests.tuner.fake import HERE, FakeChild, task, tuner

MANY = tuple(f"c{n}" for n in range(BATCH + 3))


def test_candidates_are_measured_against_the_models_choice(tmp_path: Path) -> None:
    found = tuner(FakeChild({"a": 2.0, "b": 1.0, "c": 3.0}), tmp_path, []).run([task("w", "a", "b", "c")], {})
    assert {label: result.ratio for label, result in found["w"].items()} == {"a": 1.0, "b": 0.5, "c": 1.5}
    assert best(found) == {"w": "b"}
    assert Database(tmp_path / FILE, print).read(HERE) == found


def test_a_kind_that_is_far_behind_is_given_up(tmp_path: Path) -> None:
    labels = ("near: 1", "far: 1", *(f"near: {n}" for n in range(2, 8)), "far: 2")
    child = FakeChild({label: 9.0 if label.startswith("far") else 1.0 for label in labels})
    wanted = [task("w", *labels)]
    found = tuner(child, tmp_path, []).run(wanted, {})
    assert set(found["w"]) == set(labels) - {"far: 2"}
    assert not wanted[0].waiting(found)


def test_a_winner_is_timed_twice_and_the_worse_counts(tmp_path: Path) -> None:
    child = FakeChild({"a": 1.0, "lucky": 0.5, "b": 0.9})
    turns = count()

    def luck_ends() -> None:
        if next(turns):
            child.times = {**child.times, "lucky": 2.0}

    child.before_time = luck_ends
    found = tuner(child, tmp_path, []).run([task("w", "a", "lucky", "b")], {})
    assert found["w"]["lucky"].ratio == 2.0
    assert best(found) == {"w": "b"}


def test_the_models_choice_is_in_every_batch(tmp_path: Path) -> None:
    child = FakeChild(dict.fromkeys(MANY, 1.0))
    found = tuner(child, tmp_path, []).run([task("w", *MANY)], {})
    assert set(found["w"]) == set(MANY)
    assert child.built.count(MANY[0]) == 2
    assert all(child.built.count(label) == 1 for label in MANY[1:])


def test_each_workload_has_a_turn_before_one_has_a_second(tmp_path: Path) -> None:
    child = FakeChild(dict.fromkeys(MANY, 1.0))
    tuner(child, tmp_path, []).run([task("v", *MANY), task("w", *MANY), task("x", "c0")], {})
    assert [key for what, key in child.asked if what == "workload"] == ["v", "w", "v", "w"]


def test_seconds_bound_the_measurement_and_the_rest_comes_next_time(tmp_path: Path) -> None:
    ticks = count()
    wanted = [task(f"w{n}", "a", "b") for n in range(5)]
    child = FakeChild({"a": 1.0, "b": 0.5})
    first = tuner(child, tmp_path, [], seconds=3.0, clock=lambda: float(next(ticks))).run(wanted, {})
    assert set(first) == {"w0", "w1"}
    again = FakeChild({"a": 1.0, "b": 0.5})
    second = tuner(again, tmp_path, []).run(wanted, Database(tmp_path / FILE, print).read(HERE))
    assert set(second) == {f"w{n}" for n in range(5)}
    assert [key for what, key in again.asked if what == "workload"] == ["w2", "w3", "w4"]
    third = FakeChild({})
    assert tuner(third, tmp_path, []).run(wanted, second) == second
    assert not third.asked


@pytest.mark.parametrize("dies", [True, False])
def test_a_broken_candidate_costs_only_itself(tmp_path: Path, dies: bool) -> None:
    events: list[Event] = []
    child = FakeChild({"a": 1.0, "c": 0.5}, {"b": dies})
    found = tuner(child, tmp_path, events).run([task("w", "a", "b", "c")], {})
    assert found["w"]["b"] == Result("b", None, note="it is broken")
    assert best(found) == {"w": "c"}
    assert child.starts == 1 + dies
    assert any(isinstance(event, LogLine) and "b is left out: it is broken" in event.text for event in events)
    assert not task("w", "a", "b", "c").waiting(found)


def test_where_the_models_choice_is_broken_nothing_is_chosen(tmp_path: Path) -> None:
    found = tuner(FakeChild({"b": 1.0}, {"a": True}), tmp_path, []).run([task("w", "a", "b")], {})
    assert best(found) == {}
    assert not task("w", "a", "b").waiting(found)


def test_progress_counts_candidates(tmp_path: Path) -> None:
    events: list[Event] = []
    wanted = [task("v", "a", "b"), task("w", "a", "b", "c")]
    tuner(FakeChild(dict.fromkeys("abc", 1.0)), tmp_path, events).run(wanted, {})
    seen = [(event.done, event.total) for event in events if isinstance(event, ProgressEvent)]
    assert seen == [(2, 5), (5, 5)]


def test_the_summary_says_what_is_gained(tmp_path: Path) -> None:
    wanted = [task("w", "a", "b", uses=3), task("x", "a")]
    found = tuner(FakeChild({"a": 2e-3, "b": 1e-3}), tmp_path, []).run(wanted, {})
    first, second = summary(wanted, found, best(found))
    assert (first["chosen"], first["model_ms"], first["chosen_ms"], first["gain"]) == ("b", 2.0, 1.0, 2.0)
    assert (second["chosen"], second["gain"]) == ("a", None)


ENDLESS = """
import sys, time
from pathlib import Path
from tests.tuner.fake import FakeChild, task, tuner
child = FakeChild({"a": 1.0, "b": 0.5})
child.before_time = lambda: time.sleep(0.05)
tuner(child, Path(sys.argv[1]), []).run([task(f"w{n:04}", "a", "b") for n in range(2000)], {})
"""


def test_what_a_killed_process_had_measured_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / FILE, print)
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)])
    deadline = time.monotonic() + 60
    while len(database.read(HERE)) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    known = database.read(HERE)
    assert len(known) >= 3
    assert list(known) == [f"w{n:04}" for n in range(len(known))]
    child = FakeChild({"a": 1.0, "b": 0.5})
    wanted = [task(f"w{n:04}", "a", "b") for n in range(len(known) + 2)]
    tuner(child, tmp_path, []).run(wanted, known)
    assert [key for what, key in child.asked if what == "workload"] == [t.key for t in wanted[-2:]]
