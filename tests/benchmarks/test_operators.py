"""The table of operators: one line for each, and the peak."""

from __future__ import annotations

import os

import pytest

from tests.benchmarks import operators
from tests.benchmarks.operators import Operator


def test_a_convolution_and_a_product(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = os.sched_getaffinity(0)
    small = [Operator((1, 32, 8, 8), 20, (3, 3), 2), Operator((4, 24), 48)]
    monkeypatch.setattr(operators, "operators", lambda: iter(small))
    try:
        assert operators.main(["--seconds", "0.01"]) == 0
    finally:
        os.sched_setaffinity(0, cores)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("conv 3x3 / 2 1 x 32 x 8 x 8 -> 20")
    assert second.startswith("matmul 4 x 24 x 48")
    assert "%" in first
    assert "peak" in last


def test_the_operations_are_the_operators_own() -> None:
    convolution = Operator((1, 32, 8, 8), 32, (3, 3), groups=4)
    assert convolution.flops((1, 32, 8, 8)) == 2 * 32 * 64 * 8 * 9
    assert Operator((4, 24), 48).flops((4, 48)) == 2 * 4 * 24 * 48
