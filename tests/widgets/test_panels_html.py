"""Panels as HTML: well-formed, escaped, labelled, and understood without style or widgets."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from neo_magics.api.events import LogLine, ProgressEvent, StageEvent
from neo_magics.widgets.comparison_html import comparison_card, comparison_html
from neo_magics.widgets.comparison_text import comparison_text
from neo_magics.widgets.job_html import frozen_html, live_html
from neo_magics.widgets.job_text import job_text
from neo_magics.widgets.style import milliseconds, seconds, size
from neo_magics.widgets.table import Table
from neo_magics.widgets.view import JobView, LogState
from tests.browser.gallery import panels
from tests.widgets.sample import comparison

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOID = {"circle", "line", "br"}


class Balanced(HTMLParser):
    """Fails where a tag is not closed in order; collects text and attributes."""

    def __init__(self, html):
        super().__init__()
        self.open, self.words, self.attributes = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def job(status="INPROGRESS", *events, **fields):
    log = LogState().add((NOW, event) for event in events)
    values = {"name": "net", "target": "ml_c5", "framework": "PYTORCH", "elapsed": 3.25, **fields}
    return JobView(status=status, log=log, **values)


STAGES = (StageEvent("fetch", "started"), StageEvent("fetch", "done", 0.02), StageEvent("build", "started"))


def test_live():
    html = live_html(job("INPROGRESS", *STAGES, ProgressEvent("build", 3, 12, "kernels")))
    page = Balanced(html)
    assert "Compiling net PYTORCH → ml_c5 3.2 s" in page.text
    assert "fetch 20 ms" in page.text
    assert "build: 3 of 12 kernels" in page.text
    assert ("div", "aria-valuenow", "3") in page.attributes
    assert "width:25.0%" in html
    assert ("div", "aria-label", "Compilation job net") in page.attributes


def test_completed_with_its_comparison():
    view = job("COMPLETED", StageEvent("upload", "done", 0.1))
    page = Balanced(frozen_html(view, comparison_html(comparison())))
    assert "✓ Completed net" in page.text
    assert "2.0 × faster" in page.text
    assert "job.load()(x)" in page.text
    assert "median" in page.text


def test_failed_says_reason_stage_and_next_step_before_the_log():
    view = job("FAILED", StageEvent("import", "failed", 1.0), LogLine("a line"), reason="unsupported: Fancy")
    text = Balanced(frozen_html(view)).text
    places = [
        text.index(part)
        for part in (
            "✕ Failed",
            "unsupported: Fancy",
            "Stage import",
            "%neo logs net",
            "import failed, 1.0 s",
            "Log (2 lines)",
        )
    ]
    assert places == sorted(places)
    assert "job.load" not in text


def test_from_the_cache():
    view = job("COMPLETED", *(StageEvent(name, "cached") for name in ("import", "build")))
    text = Balanced(frozen_html(view)).text
    assert "Completed from cache" in text
    assert "build cached" in text


@pytest.mark.parametrize("render", [live_html, frozen_html])
def test_what_a_job_says_is_never_markup(render):
    evil = "<script>alert(1)</script>\"'&"
    view = job(
        "FAILED",
        LogLine(evil),
        StageEvent(evil, "failed", 1, evil),
        name=evil,
        target=evil,
        reason=evil,
        framework=evil,
    )
    page = Balanced(render(view))
    assert "<script" not in render(view)
    assert not [name for _tag, name, _value in page.attributes if name.startswith("on")]


def test_comparison_text_holds_the_same_figures():
    text = comparison_text(comparison())
    for figure in ("2.0 × faster", "0.2 ms", "0.1 ms", "0.22 ms", "98.9%", "104 kB", "0.12 s", "2.4e-07"):
        assert figure in text
    assert figure in Balanced(comparison_card(comparison())).text


def test_slower_is_said_in_words_and_colour():
    html = comparison_html(comparison(0.1, 0.14))
    assert "1.4 × slower" in html
    assert "neo-verdict neo-bad" in html


def test_the_picture_is_described_for_those_who_do_not_see_it():
    page = Balanced(comparison_card(comparison()))
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert labels == [
        "PyTorch 2.13: median 0.2 ms, p95 0.22 ms, 60 runs",
        "compiled: median 0.1 ms, p95 0.11 ms, 60 runs",
    ]


def test_panels_stay_small():
    assert len(frozen_html(job("COMPLETED", *STAGES), comparison_html(comparison()))) < 25_000


def test_plain_text():
    assert job_text(job("INPROGRESS", *STAGES)).splitlines() == [
        "net: compiling, PYTORCH → ml_c5",
        "fetch 20 ms, build 0 ms",
        "It runs on its own: job.wait(), %neo show net, %neo logs net",
    ]
    failed = job_text(job("FAILED", reason="it broke"))
    assert failed.splitlines()[1:] == ["it broke", "Log: %neo logs net"]


def test_table():
    table = Table(("a", "bb"), [("1", "<2>")], note="all")
    assert repr(table) == "a  bb\n1  <2>\nall"
    assert "&lt;2&gt;" in table._repr_html_()
    assert repr(Table(("a",), [], empty="none")) == "none"
    assert "none" in Table(("a",), [], empty="none")._repr_html_()


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (seconds, 0.0123, "12 ms"),
        (seconds, 3.44, "3.4 s"),
        (seconds, 80.5, "80.5 s"),
        (seconds, 125, "2 min 5 s"),
        (milliseconds, 0.03124, "0.0312"),
        (milliseconds, 4.512, "4.51"),
        (milliseconds, 1786.3, "1786"),
        (size, 12, "12 B"),
        (size, 104_294, "104 kB"),
        (size, 1_500, "1.5 kB"),
        (size, 44_700_000, "44.7 MB"),
        (size, 999_900, "1.0 MB"),
        (size, 3_000_000_000, "3.0 GB"),
    ],
)
def test_figures_for_a_person(function, value, text):
    assert function(value) == text


def test_an_artifact_for_another_machine_is_not_offered_to_run_here():
    here, away = job("COMPLETED"), job("COMPLETED", runs_here=False, target="rasp4b")
    assert "job.load()(x)" in Balanced(frozen_html(here)).text
    text = Balanced(frozen_html(away)).text
    assert "load()" not in text
    assert "The file to take to rasp4b" in text
    assert "neo-magics run ARTIFACT" in text


def test_a_stopped_stage_is_not_shown_as_failed():
    page = Balanced(frozen_html(job("STOPPED", StageEvent("build", "stopped", 2.0))))
    assert ("li", "class", "neo-stopped") in page.attributes
    assert ("li", "class", "neo-failed") not in page.attributes


@pytest.mark.parametrize("name", panels())
def test_headers_have_words_and_a_named_text_has_a_role_that_takes_a_name(name):
    """What axe-core says of them: empty-table-header, aria-prohibited-attr."""
    html = panels()[name]
    Balanced(html)
    assert not re.search(r"<th\b[^>]*></th>", html)
    assert all('role="group"' in tag for tag in re.findall(r"<pre\b[^>]*aria-label[^>]*>", html))
