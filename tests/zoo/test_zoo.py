"""A few models of each framework, and the zoo's own counting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neo_magics.client import Backend
from tests.zoo import estimators
from tests.zoo.__main__ import main
from tests.zoo.entry import Entry, Given, entries
from tests.zoo.outcome import outcome
from tests.zoo.table import table


def test_every_entry_has_a_name_of_its_own() -> None:
    names = [str(entry) for entry in entries()]
    assert len(names) == len(set(names)) > 20
    assert {str(entry) for entry in entries(quick=True)} < set(names)


def test_a_package_that_is_missing_is_named(settings: Any) -> None:
    entry = Entry("NONE", "x", make=lambda _folder: Given(None), needs=("no_such_package",))
    result = outcome(entry, Backend(settings))
    assert (result.status, result.expected, result.why) == ("skipped", True, "not installed: no_such_package")


def test_what_nobody_expected_counts_as_failed(settings: Any) -> None:
    def make(_folder: Path) -> Given:
        raise ZeroDivisionError("no")

    result = outcome(Entry("NONE", "x", make=make), Backend(settings))
    assert (result.status, result.expected, result.why) == ("failed", False, "ZeroDivisionError: no")
    entry = Entry("NONE", "y", make=lambda _folder: Given(object()), refused="object")
    result = outcome(entry, Backend(settings))
    assert result.status == "refused"
    assert "| NONE | 0 | 1 | 0 | 0 | 0 |" in table([result])


def test_several_runs_become_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = {"framework": "A", "status": "passed", "expected": True}
    first = {**common, "name": "x", "given": "object", "free": True, "relative": 2e-7}
    other = {**common, "name": "y", "given": "archive", "free": False, "relative": 3e-6}
    timed = {**first, "before_ms": 3.0, "after_ms": 2.0}
    refused = {**common, "framework": "B", "name": "z", "status": "refused"}
    for name, content in (("1", [first, other]), ("2", [timed, refused])):
        (tmp_path / name).write_text(json.dumps(content))
    assert main(["--tabulate", str(tmp_path / "1"), str(tmp_path / "2")]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows == ["| A | 2 | yes | yes | 1 of 2 | 3e-06 | 1.5 × (1.5 to 1.5) |"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_models_that_ci_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "zoo.json"
    status = main(["--quick", "--json", str(path)])
    said = capsys.readouterr().out
    assert status == 0, said
    assert {each["status"] for each in json.loads(path.read_text())} <= {"passed", "refused", "skipped"}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_estimator_of_scikit_learn_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "estimators.json"
    status = estimators.main(["--json", str(path)])
    said = capsys.readouterr().out
    assert status == 0, said
    assert sum(state == "works" for state, _why in json.loads(path.read_text()).values()) > 95
