"""--input and --model name variables, their items and attributes; nothing is ever called."""

import types

import numpy as np
import pytest

from neo_magics.errors import UsageError
from neo_magics.magics.expressions import resolve

X = np.arange(12.0).reshape(3, 4)
NAMES = {"x": X, "mask": 7, "data": {"x": X}, "thing": types.SimpleNamespace(field=X)}
NAMES |= {"open": open, "In": [], "numpy": np}  # of IPython, and a module: no inputs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", X),
        ("x[:1]", X[:1]),
        ("x[-1]", X[-1]),
        ("x[0, 1:3]", X[0, 1:3]),
        ('data["x"]', X),
        ("thing.field", X),
        ("thing.field[::2]", X[::2]),
    ],
)
def test_a_value_by_its_name(text, value):
    assert np.array_equal(resolve(text, NAMES, "--input"), value)


def test_several_inputs():
    assert resolve("(x, mask)", NAMES, "--input") == (X, 7)
    assert resolve('{"a": mask, "b": 3}', NAMES, "--input") == {"a": 7, "b": 3}
    assert resolve("[mask, 1]", NAMES, "--input") == [7, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("xx", "no variable 'xx'.*Did you mean x"),
        ("quite_else", "no variable 'quite_else'.*Define it"),
        ("opem", "no variable 'opem'.*Define it"),  # IPython's own names are in the namespace too
        ("numpi", "no variable 'numpi'.*Define it"),
        ("x.nothing", "nothing"),
        ('data["y"]', "data"),
        ("x[9]", "out of bounds"),
        ("x +", "not an expression"),
        ("x + 1", "cannot hold 'x \\+ 1'"),
        ("open('f')", "cannot hold"),
        ("[y for y in x]", "cannot hold"),
        ("-x", "cannot hold"),
    ],
)
def test_anything_else_is_refused_with_a_next_step(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve(text, NAMES, "--input")
    assert "--input" in str(caught.value)


def test_nothing_is_called():
    called = []
    with pytest.raises(UsageError):
        resolve("touch()", {"touch": lambda: called.append(1)}, "--input")
    assert called == []
