"""The panel of a profile: readable without its style, safe with any name, bars within their width."""

from __future__ import annotations

import re

import pytest

from neo_magics.artifact.kernels import Source
from neo_magics.runtime.profile import KernelCall, Profile
from neo_magics.runtime.ruler import Peaks
from neo_magics.widgets.profile_html import profile_card


def profile_of(*calls: KernelCall) -> Profile:
    """A profile with `calls`."""
    peaks = Peaks(2, 100e9, 200e9, 20e9, 30e9)
    return Profile(
        "net", calls, 0.004, 0.005, 4e-7, 40, peaks, 2, (0, 1), "A CPU", "given", "2026-01-01T00:00:00"
    )


def call(index: int, seconds: float, layer: str = "conv", flops: int | None = 10**8) -> KernelCall:
    """One call of a kernel."""
    sources = (Source(layer, "Conv2d", "conv2d"),)
    moved = None if flops is None else 1000
    return KernelCall(index, f"kernel{index}", "rule", ("conv2d",), sources, seconds, flops, moved)


def test_the_slowest_comes_first_with_its_figures() -> None:
    html = profile_card(profile_of(call(0, 0.001, "quick_one"), call(1, 0.002, "slow_one")))
    assert html.index("slow_one") < html.index("quick_one")
    assert "66.7%" in html
    assert "25% of the roofline" in html  # 1e8 operations at 200 GFLOPS are 0.5 ms of 2 ms


def test_names_are_text_and_nothing_else() -> None:
    html = profile_card(profile_of(call(0, 0.001, "<script>alert(1)</script>")))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_what_was_not_counted_has_no_figure() -> None:
    html = profile_card(profile_of(call(0, 0.001, flops=None)))
    assert "None" not in html


@pytest.mark.parametrize("flops", [1, 10**8, 10**12])
def test_bars_stay_within_the_panel(flops: int) -> None:
    html = profile_card(profile_of(*(call(n, 0.001 * (n + 1), flops=flops) for n in range(30))))
    widths = [float(width) for width in re.findall(r'rect width="([\d.]+)%"', html)]
    assert widths
    assert all(0 <= width <= 100 for width in widths)


def test_all_calls_are_in_the_panel_the_rest_folded() -> None:
    html = profile_card(profile_of(*(call(n, 0.001, f"layer{n}") for n in range(30))))
    assert all(f"layer{n}<" in html for n in range(30))
    assert "10 more kernel calls" in html


def test_a_model_without_kernels() -> None:
    assert "0 kernel calls" in profile_card(profile_of())


def test_hovering_over_a_bar_tells_the_kernel_and_what_it_achieves() -> None:
    html = profile_card(profile_of(call(0, 0.001), call(1, 0.002)))
    title = re.findall(r"<title>(.*?)</title>", html, re.DOTALL)[0]
    assert title.splitlines() == [
        "kernel1 (call 2 of 2)",
        "operators: conv2d",
        "kernel: rule",
        "50 GFLOPS, 0.0005 GB/s, bound by compute",
    ]


def test_a_kernel_that_nothing_is_known_of_has_a_short_title() -> None:
    html = profile_card(profile_of(KernelCall(0, "alloc", "", ("alloc",), (), 0.001, None, None)))
    assert "<title>alloc (call 1 of 1)\noperators: alloc</title>" in html
