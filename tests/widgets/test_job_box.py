"""The widgets of a running job: Stop asks first, the log pauses, an ended job has no controls."""

from datetime import UTC, datetime

import pytest

from neo_magics.api.events import LogLine
from neo_magics.errors import UsageError
from neo_magics.widgets.job_box import JobBox
from neo_magics.widgets.view import JobView, LogState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def view(*lines, status="INPROGRESS"):
    log = LogState().add((NOW, LogLine(line)) for line in lines)
    return JobView("net", status, "ml_c5", "PYTORCH", log, 1.0, texts={"JSON": "{}"})


class Hands:
    """Presses the buttons of a box by what they say, if they can be seen."""

    def __init__(self, box):
        self.box = box

    def button(self, label):
        controls = self.box.widget.children[1].children
        seen = [c for c in controls if c.description == label and c.layout.display != "none"]
        assert len(seen) == 1, label
        return seen[0]

    def press(self, label):
        self.button(label).click()

    @property
    def html(self):
        return "".join(c.value for c in self.box.widget.children if hasattr(c, "value"))


@pytest.fixture
def stopped():
    return []


@pytest.fixture
def hands(stopped):
    box = JobBox(lambda: stopped.append(True))
    box.show(view("first"), "")
    return Hands(box)


def test_stop_asks_first(hands, stopped):
    hands.press("Stop…")
    assert not stopped
    hands.press("Keep it running")
    hands.press("Stop…")
    hands.press("Stop it")
    assert stopped == [True]
    assert hands.button("Stopping…").disabled


def test_a_stop_that_comes_too_late_is_no_error():
    def late():
        raise UsageError("It has ended.")

    box = JobBox(late)
    box.show(view(), "")
    Hands(box).press("Stop…")
    Hands(box).press("Stop it")
    assert Hands(box).button("Stop…")


def test_a_paused_log_stays_until_it_is_followed_again(hands):
    hands.button("Pause log").value = True
    hands.box.show(view("first", "second"), "")
    assert "second" not in hands.html
    hands.button("Follow log").value = False
    assert "second" in hands.html


def test_what_does_not_change_is_not_sent(hands):
    sent = []
    for part in hands.box.widget.children:
        part.observe(sent.append, "value")
    hands.box.show(view("first"), "")
    assert sent == []


def test_an_ended_job_has_no_controls(hands):
    hands.box.show(view("first", status="COMPLETED"), "Measuring…")
    assert [child.layout.display for child in hands.box.widget.children[1:]] == ["none"] * 3
    assert "Measuring…" in hands.html
