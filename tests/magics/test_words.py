"""A magic's line falls into words as a person expects: quotes and brackets hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.errors import UsageError
from neo_magics.magics.words import split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--target local --input x", ["--target", "local", "--input", "x"]),
        ("", []),
        ("   ", []),
        ("--name 'a b'", ["--name", "a b"]),
        ('--name "a b"c', ["--name", "a bc"]),
        ('--input-shape {"x": [1, 3, 8, 8]}', ["--input-shape", '{"x": [1, 3, 8, 8]}']),
        ("--input-shape '{\"x\": [1]}'", ["--input-shape", '{"x": [1]}']),
        ("--input (x, mask) -o job", ["--input", "(x, mask)", "-o", "job"]),
        ("--input data[0, :1]", ["--input", "data[0, :1]"]),
        ('--input {"a)": x}', ["--input", '{"a)": x}']),
        ("--input=x", ["--input=x"]),
    ],
)
def test_split(line, words):
    assert split(line) == words


@pytest.mark.parametrize("line", ["--name 'a", '--input {"x": [1}', "--input (x", "["])
def test_what_is_not_closed_is_said(line):
    with pytest.raises(UsageError, match="no closing"):
        split(line)


@given(st.dictionaries(st.text(max_size=5), st.lists(st.integers() | st.none(), max_size=4), max_size=3))
def test_json_passes_unharmed(shapes):
    text = json.dumps(shapes)
    assert json.loads(split(f"--input-shape {text} --wait")[1]) == shapes


@given(st.lists(st.text("abc-=/.:%$", min_size=1), max_size=6))
def test_plain_words_are_those_of_str_split(words):
    assert split("  ".join(words)) == words
