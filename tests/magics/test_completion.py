"""Tab offers what may come next: options, targets, job names, variables, subcommands."""

import pytest
from IPython.core.completer import provisionalcompleter
from torch import nn

from neo_magics.magics.completion import Completer
from neo_magics.magics.neo_magic import COMMANDS

NAMESPACE = {"net": nn.ReLU(), "x": [1], "_private": 1, "In": []}


@pytest.fixture
def complete():
    commands = {command.name: command.completes for command in COMMANDS}
    return Completer(NAMESPACE, lambda: ["job-a", "job-b"], commands).candidates


def test_options(complete):
    found = complete("%%compile --in")
    assert found == ["--input", "--input-shape"]
    assert "--input" not in complete("%%compile --input x --")


def test_targets_are_those_that_can_be_compiled_for(complete):
    assert complete("%%compile --target ml_c") == ["ml_c4", "ml_c5", "ml_c6g"]
    assert "local" in complete("%%compile --target ")
    assert "ml_inf1" not in complete("%%compile --target ")


def test_the_last_of_several_targets(complete):
    assert complete("%compile net --target local,rasp3") == ["local,rasp3b"]


def test_values(complete):
    assert complete("%%compile --input ") == ["net", "x"]
    assert complete("%%compile --dtype float1") == ["float16"]
    assert complete("%%compile --backend s") == ["sagemaker"]
    assert complete("%%compile --platform LINUX_ARM6") == ["LINUX_ARM64"]
    assert "ONNX" in complete("%%compile --framework ")


def test_a_line_magic_begins_with_the_model(complete):
    assert complete("%compile ") == ["net"]


def test_neo(complete):
    assert complete("%neo s") == ["show", "stop"]
    assert complete("%neo logs ") == ["job-a", "job-b"]
    assert complete("%neo stop job-b") == ["job-b"]
    assert complete("%neo targets ") == ["--all"]
    assert complete("%neo profile job-") == ["job-a", "job-b"]
    assert complete("%neo profile job-a --s") == ["--seconds"]


def test_values_behind_an_equals_sign(complete):
    assert complete("%%compile --target=rasp") == ["--target=rasp3b", "--target=rasp4b"]
    assert complete("%compile net --dtype=bf") == ["--dtype=bf16"]


def test_values_of_the_options_of_neo(complete):
    assert complete("%neo jobs --status F") == ["FAILED"]
    assert complete("%neo profile job-a --input ") == ["net", "x"]
    assert complete("%neo help pro") == ["profile"]


@pytest.mark.parametrize("jedi", [True, False])
def test_in_the_shell(shell, jedi):
    shell.Completer.use_jedi = jedi
    with provisionalcompleter():
        found = list(shell.Completer.completions("%%compile --target rasp", 23))
    assert [completion.text for completion in found] == ["rasp3b", "rasp4b"]
