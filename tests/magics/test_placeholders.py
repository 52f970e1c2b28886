"""Variables in a magic's words: `$name`, `{name}`, and names of the function that holds the magic."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neo_magics.job import Job
from neo_magics.magics.placeholders import filled
from neo_magics.magics.words import split

NAMES = {
    "device": "ml_c5",
    "size": 224,
    "shape": {"x": [1, 3]},
    "x": object(),
    "job": Job("net-1", SimpleNamespace()),
    "größe": 7,
}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--target $device", ["--target", "ml_c5"]),
        ("--target {device}", ["--target", "ml_c5"]),
        ("--target local,$device --name net-{size}", ["--target", "local,ml_c5", "--name", "net-224"]),
        ('--input-shape {"x": [1, $size]}', ["--input-shape", '{"x": [1, 224]}']),
        ("--input-shape $shape", ["--input-shape", '{"x": [1, 3]}']),
        ("--input $x", ["--input", "x"]),
        ("show $job", ["show", "net-1"]),
        ("--name $größe", ["--name", "7"]),
        ("--name $nothing", ["--name", "$nothing"]),
        ("--input {x: 1}", ["--input", "{x: 1}"]),
    ],
)
def test_variables_are_put_in(line, words):
    assert filled(split(line), NAMES) == words


IN_A_FUNCTION = """
import torch
def compiled(net, example, device):
    %compile net --input example --target $device --name local-scope-{device} --no-compare
compiled(torch.nn.Linear(4, 4).eval(), torch.zeros(1, 4), "nowhere")
"""


def test_a_function_sees_its_own_variables(run, shell):
    _result, printed = run(IN_A_FUNCTION)
    assert "There is no target 'nowhere'." in printed
    _result, printed = run(IN_A_FUNCTION.replace("--target $device", "--dtype bf17"))
    assert "There is no dtype 'bf17'." in printed
    _result, printed = run(IN_A_FUNCTION.replace("example --target $device", "exampel"))
    assert "there is no variable 'exampel'. Did you mean example?" in printed.replace("\n  →", "")
    assert "net" not in shell.user_ns
