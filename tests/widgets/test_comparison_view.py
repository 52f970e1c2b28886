"""A comparison's view follows from its dictionary, and promises nothing that the interval does not hold."""

import pytest

from neo_magics.widgets.comparison_html import comparison_card
from neo_magics.widgets.comparison_view import comparison_view


class Measured:
    def __init__(self, low, high):
        side = {"samples_ms": [1.0, 2.0], "median_ms": 1.5, "p95_ms": 2.0}
        self.body = {
            "verdict": "1.5 × faster",
            "ratio": 1.5,
            "ratio_interval": [low, high],
            "difference": {"max_abs": 2.4e-7},
            "threads": 2,
            "rounds": 6,
            "cpu": "A CPU",
            "inputs": "given",
            "before": {"label": "PyTorch 2.13.0", **side, "size_bytes": 10, "accuracy": 0.9},
            "after": {"label": "compiled", **side},
        }

    def to_dict(self):
        return self.body


def test_figures():
    view = comparison_view(Measured(1.4, 1.6))
    before, after = view.sides
    assert (before.label, before.size, before.accuracy) == ("PyTorch 2.13.0", 10, 0.9)
    assert (after.median, after.p95, after.size, after.accuracy) == (1.5, 2.0, None, None)
    assert (before.difference, after.difference) == ("", "2.4e-07")
    assert view.certainty == "95 % interval of the ratio: 1.40 to 1.60"
    assert view.conditions == (
        "2 and 2 calls in 6 alternating rounds, processes of their own, 2 threads, A CPU, given inputs."
    )


@pytest.mark.parametrize(
    ("low", "high", "direction"), [(1.1, 1.3, "faster"), (0.5, 0.9, "slower"), (0.9, 1.2, "same")]
)
def test_direction(low, high, direction):
    assert comparison_view(Measured(low, high)).direction == direction


def test_a_wide_interval_is_said_to_be_one():
    certainty = comparison_view(Measured(4.25, 1270.8)).certainty
    assert certainty.startswith("95 % interval of the ratio: 4.25 to 1,271. The machine was busy")


def test_several_sides_each_have_a_ratio_and_a_difference():
    measured = Measured(1.4, 1.6)
    side = {"label": "rasp4b", "samples_ms": [1.0], "median_ms": 1.0, "p95_ms": 1.0}
    figures = {"ratio": 3.0, "ratio_interval": [2.9, 3.1], "verdict": "3.0 × faster"}
    measured.body["others"] = [{"side": side, **figures, "difference": {"max_abs": 0.5}}]
    view = comparison_view(measured)
    assert [side.label for side in view.sides] == ["PyTorch 2.13.0", "compiled", "rasp4b"]
    assert [side.ratio for side in view.sides] == ["", "1.50 × (1.40 to 1.60)", "3.00 × (2.90 to 3.10)"]
    assert [side.difference for side in view.sides] == ["", "2.4e-07", "5.0e-01"]
    assert view.verdict == "compiled: 1.5 × faster"
    assert view.conditions.startswith("2, 2 and 1 calls in 6 alternating rounds")
    html = comparison_card(view)
    assert html.count('role="img"') == 3
    assert "times as fast" in html
    assert "times as fast" not in comparison_card(comparison_view(Measured(1.4, 1.6)))
