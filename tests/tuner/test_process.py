"""The child's end is told apart from its failures, and a new one is started when it is needed."""

from __future__ import annotations

import sys

import pytest

from neo_magics.tuner.process import CandidateError, Child, StartError

PROGRAM = """
import json, os, signal, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if request["do"] == "sleep":
        time.sleep(60)
    if request["do"] == "fail":
        request = {"error": "it cannot"}
    print(json.dumps({**request, "pid": os.getpid()}), flush=True)
"""


def child(program: str = PROGRAM) -> Child:
    return Child({"greeting": "hello"}, 1, [sys.executable, "-c", program])


def test_a_failure_leaves_the_process_and_a_crash_does_not() -> None:
    with child() as made:
        first = made.ask("work", 30, number=7)
        assert first["number"] == 7
        with pytest.raises(CandidateError, match="it cannot"):
            made.ask("fail", 30)
        assert made.running
        assert made.ask("work", 30)["pid"] == first["pid"]
        with pytest.raises(CandidateError, match="SIGSEGV"):
            made.ask("crash", 30)
        assert not made.running
        assert made.ask("work", 30)["pid"] != first["pid"]
    assert not made.running


def test_what_takes_too_long_is_killed() -> None:
    with child() as made:
        made.ask("work", 30)
        with pytest.raises(CandidateError, match="took over"):
            made.ask("sleep", 0.1)
        assert not made.running


def test_a_child_that_does_not_begin_is_no_candidates_fault() -> None:
    with child("raise SystemExit(3)") as made, pytest.raises(StartError, match="exited with status 3"):
        made.ask("work", 30)
