"""The strips of dots keep to their axis whatever the samples are."""

import re

from hypothesis import given
from hypothesis import strategies as st

from neo_magics.widgets.distribution import Strip, distribution_svg

latencies = st.lists(st.floats(1e-4, 1e5), min_size=1, max_size=200)


def strip(samples):
    ordered = sorted(samples)
    return Strip(
        "a side", samples, ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)], "--neo-run"
    )


@given(latencies, latencies)
def test_everything_lies_within_the_picture(before, after):
    svg = distribution_svg([strip(before), strip(after)])
    positions = [float(text) for text in re.findall(r'(?:cx|x1|x)="([\d.]+)%"', svg)]
    assert positions
    assert all(0 <= position <= 100 for position in positions)
    assert svg.count("<circle") <= 120
    assert 2 <= svg.count("<text") <= 7


def test_median_and_p95_are_where_the_axis_says():
    svg = distribution_svg([Strip("a", [1.0, 2.0, 4.0], 2.0, 4.0, "--neo-run")])
    median, p95 = re.findall(r'<line x1="([\d.]+)%"[^>]*stroke-width', svg)
    assert abs(float(p95) - 2 * float(median)) < 0.02


def test_outliers_do_not_squeeze_the_rest_and_are_counted():
    samples = [1.0] * 95 + [100.0] * 5
    svg = distribution_svg([Strip("a", samples, 1.0, 100.0, "--neo-run")])
    assert "5 of 100 calls beyond the axis" in svg
    (median,) = re.findall(r'<line x1="([\d.]+)%"[^>]*stroke-width', svg)
    assert float(median) > 30


def test_same_samples_same_picture():
    strips = [strip([1.0, 2.0, 3.0])]
    assert distribution_svg(strips) == distribution_svg(strips)
