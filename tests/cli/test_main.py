"""The shell command: what each subcommand prints, and its exit status."""

import json
import subprocess
import sys

import pytest

from neo_magics.cli import COMMANDS, main


def run(*words, **more):
    return subprocess.run(
        [sys.executable, "-c", "from neo_magics.cli import main; main()", *words],
        capture_output=True, text=True, check=False, **more,
    )  # fmt: skip


def test_help_lists_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


def test_without_a_command_the_help_is_an_error():
    done = run()
    assert done.returncode == 2
    assert "usage: neo-magics" in done.stderr


def test_an_unknown_command_is_guessed():
    done = run("dmo")
    assert done.returncode == 2
    assert "no command 'dmo'. Did you mean demo?" in done.stderr


def test_version():
    from neo_magics import __version__

    assert run("--version").stdout.strip() == __version__


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    done = run(name, "--help")
    assert done.returncode == 0
    assert done.stdout.lower().lstrip().startswith("usage")


def test_doctor_as_json(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--json"])
    body = json.loads(capsys.readouterr().out)
    assert ended.value.code == int(not body["ok"])
    found = {check["name"]: check for check in body["checks"]}
    assert found["Python"]["ok"]
    assert found["TVM runtime"] == {"name": "TVM runtime", "ok": True, "found": "loads", "hint": ""}
    assert found["apache-tvm-ffi"]["found"] == "0.1.14.post1"


def test_doctor_finds_an_unwritable_home(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NEO_MAGICS_HOME", str(tmp_path / "file"))
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    printed = capsys.readouterr().out
    assert ended.value.code == 1
    assert "✕ Home" in printed
    assert "→ Set NEO_MAGICS_HOME to a writable folder." in printed


def test_jobs_of_a_fresh_home(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["jobs"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == "No jobs yet: %%compile files one."


def test_an_error_is_short_and_exits_with_1(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["jobs", "show", "nothing"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "UsageError: There is no job 'nothing'.\n  → %neo jobs lists them.\n"
