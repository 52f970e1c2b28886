"""What was measured is kept and found again, by any number of processes; a broken file costs a warning."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.tuner.database import FILE, WORTH_IT, Database, Place, Result, Results, best

HERE = Place("this machine", "these versions")
names = st.text(min_size=1)
ratios = st.none() | st.floats(0.01, 100)
results = st.builds(Result, st.text(min_size=1), ratios, ratios, ratios, st.text(max_size=5))


def opened(folder: Path, warnings: list[str] | None = None, busy_seconds: float = 10.0) -> Database:
    return Database(folder / FILE, (warnings if warnings is not None else []).append, busy_seconds)


@given(st.dictionaries(st.text(min_size=1), st.lists(results, max_size=4), max_size=4))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, given: dict[str, list[Result]]
) -> None:
    database = opened(tmp_path_factory.mktemp("home"))
    expected: Results = {}
    for workload, found in given.items():
        database.write(HERE, workload, found)
        if found:
            expected[workload] = {result.candidate: result for result in found}
    assert database.read(HERE) == expected


def test_a_later_result_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    database = opened(tmp_path)
    database.write(HERE, "w", [Result("a", 1.0), Result("b", 0.9)])
    database.write(HERE, "w", [Result("b", 0.8)])
    assert database.read(HERE) == {"w": {"a": Result("a", 1.0), "b": Result("b", 0.8)}}


@pytest.mark.parametrize("other", [Place("another machine", HERE.versions), Place(HERE.target, "others")])
def test_results_count_only_where_they_were_measured(tmp_path: Path, other: Place) -> None:
    database = opened(tmp_path)
    database.write(HERE, "w", [Result("a", 0.5)])
    assert database.read(other) == {}


def test_no_file_knows_nothing_and_is_not_made_by_reading(tmp_path: Path) -> None:
    assert opened(tmp_path).read(HERE) == {}
    assert not (tmp_path / FILE).exists()


@given(
    st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(min_size=1), ratios, min_size=1), max_size=5)
)
def test_the_best_is_the_same_in_any_order_and_clearly_faster(
    given: dict[str, dict[str, float | None]],
) -> None:
    known = {w: {c: Result(c, ratio) for c, ratio in found.items()} for w, found in given.items()}
    backwards = {w: dict(reversed(known[w].items())) for w in reversed(known)}
    assert best(known) == best(backwards)
    for workload, candidate in best(known).items():
        ratio = given[workload][candidate]
        assert ratio is not None
        assert ratio < WORTH_IT
        assert all(ratio <= other for other in given[workload].values() if other is not None)


@pytest.mark.parametrize("content", [b"this is no database" * 99, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_broken_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    warnings: list[str] = []
    database = opened(tmp_path, warnings)
    assert database.read(HERE) == {}
    assert len(warnings) == 1
    assert "set aside" in warnings[0]
    [aside] = tmp_path.glob(f"{FILE}.broken-*")
    assert aside.read_bytes() == content
    database.write(HERE, "w", [Result("a", 1.0)])
    assert database.read(HERE) == {"w": {"a": Result("a", 1.0)}}
    assert len(warnings) == 1


def test_a_file_of_another_release_is_set_aside(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    warnings: list[str] = []
    assert opened(tmp_path, warnings).read(HERE) == {}
    assert "schema 99" in warnings[0]


def test_a_file_that_another_process_holds_is_a_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    database = opened(tmp_path, warnings, busy_seconds=0.05)
    database.write(HERE, "w", [Result("a", 1.0)])
    holder = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database.write(HERE, "w", [Result("b", 1.0)])
    holder.close()
    assert "locked" in warnings[0]
    assert list(database.read(HERE)["w"]) == ["a"]
    assert not list(tmp_path.glob("*.broken-*"))


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    opened(tmp_path / "file" / "home", warnings).write(HERE, "w", [Result("a", 1.0)])
    assert "cannot be written" in warnings[0]


WRITER = """
import sys
from pathlib import Path
from neo_magics.tuner.database import Database, Place, Result
database = Database(Path(sys.argv[1]), print)
for number in range(50):
    database.write(Place("t", "v"), f"workload {number}", [Result(sys.argv[2], 1.0)])
"""


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / FILE  # which all of them make
    command = [sys.executable, "-c", WRITER, str(path)]
    writers = [
        subprocess.Popen([*command, f"candidate {n}"], stdout=subprocess.PIPE, text=True) for n in range(4)
    ]
    assert [writer.communicate(timeout=60)[0] for writer in writers] == [""] * 4  # no warning
    found = Database(path, print).read(Place("t", "v"))
    assert len(found) == 50
    assert all(len(candidates) == 4 for candidates in found.values())
