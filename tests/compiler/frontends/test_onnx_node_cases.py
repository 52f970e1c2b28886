"""The ONNX backend node tests: our passes and schedules fail no case that TVM's default pipeline passes."""

from __future__ import annotations

import os

import pytest

from tests.compiler.frontends.node_cases import cases, sweep
from tests.compiler.frontends.node_table import PASSED, Outcome, by_family, table


def test_the_table_tells_rate_reasons_and_what_the_default_does() -> None:
    told = table(
        [
            Outcome("test_a", "Abs", PASSED),
            Outcome("test_b", "Abs", "wrong", "off by one", PASSED),
            Outcome("test_c", "Cos", "refused", "no such operator"),
        ]
    )
    assert told.splitlines()[0] == "3 cases: 1 passed, 1 refused, 1 wrong, 0 failed (33.3% pass)"
    assert "Abs: 1 of 2 pass\n    test_b: wrong, off by one; TVM's default passes" in told
    assert "test_c: refused, no such operator" in told


def test_the_short_table_counts_by_family() -> None:
    outcomes = [
        Outcome("test_a", "Abs", PASSED),
        Outcome("test_b", "LSTM", "refused"),
        Outcome("test_c", "GRU", "wrong"),
    ]
    lines = by_family(outcomes).splitlines()
    assert lines[2:] == ["| recurrent | 2 | 0 | 1 | 1 |", "| element by element | 1 | 1 | 0 | 0 |"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_case_in_scope_is_worse_than_with_the_default_pipeline() -> None:
    outcomes = sweep(sorted(cases()), os.cpu_count() or 1)
    print(table(outcomes))
    assert len(outcomes) == len(cases())
    assert [o.case for o in outcomes if o.default == PASSED] == []
    assert sum(o.result == PASSED for o in outcomes) >= 0.98 * len(outcomes)
    assert [o.case for o in outcomes if o.result in ("wrong", "failed")] == []
