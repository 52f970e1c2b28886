"""A comparison of several sides: as rows, as a frame, as JSON, as a picture, and two by two."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from neo_magics.runtime.comparison import Comparison, Rival
from tests.server.sample import comparison as sample


@pytest.fixture
def three() -> Comparison:
    """A source model, and two artifacts that are twice and four times as fast."""
    two = Comparison.from_dict(sample(0.2, 0.1))
    side = replace(two.after, label="<b>fast</b>", median_ms=0.05)
    rival = Rival(side, 4.0, (3.9, 4.1), "4.00 × faster", {"max_abs": 0.5, "within_tolerance": True})
    return replace(two, others=(rival,))


def test_json_keeps_everything(three, tmp_path):
    path = tmp_path / "c.json"
    assert three.to_json(path) == path.read_text()
    assert Comparison.from_dict(json.loads(path.read_text())) == three


def test_what_was_saved_before_there_were_several_is_still_read():
    body = sample()
    del body["others"]
    assert Comparison.from_dict(body).others == ()


def test_rows(three):
    rows = three.rows()
    assert [row["label"] for row in rows] == ["PyTorch 2.13", "compiled", "<b>fast</b>"]
    assert [row["ratio"] for row in rows] == [1.0, 2.0, 4.0]
    assert rows[2]["ratio_low"] == 3.9
    assert rows[2]["max_abs_difference"] == 0.5
    assert {row["calls"] for row in rows} == {60}


def test_frame(three):
    pytest.importorskip("pandas")
    frame = three.to_frame()
    assert list(frame.index) == [side.label for side in three.sides]
    assert frame.loc["compiled", "ratio"] == 2.0
    assert frame["median_ms"].dtype.kind == "f"


def test_picture_stands_alone_and_shows_every_side(three, tmp_path):
    root = ET.fromstring(three.to_svg(tmp_path / "c.svg"))
    texts = "".join(root.itertext())
    for label in ("PyTorch 2.13", "compiled", "<b>fast</b>", "0 ms"):
        assert label in texts
    circles = root.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 180
    assert all(0 <= float(circle.get("cx", -1)) <= 720 for circle in circles)
    assert (tmp_path / "c.svg").read_text().startswith("<svg")


def test_a_pair_is_a_comparison_of_two(three):
    pair = three.pair(1)
    assert (pair.after.label, pair.ratio, pair.verdict, pair.others) == (
        "<b>fast</b>", 4.0, "4.00 × faster", (),
    )  # fmt: skip
    assert three.pair(0) == replace(three, others=())


def test_the_text_names_every_side(three):
    assert "<b>fast</b>: 4.00 × faster" in repr(three)
