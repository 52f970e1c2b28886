"""DataInputConfig, as JSON and as the Python literals of the official samples."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.api.input_config import parse, render
from neo_magics.errors import InputError

dimensions = st.none() | st.integers(1, 2**31 - 1)
shapes = st.lists(dimensions, max_size=6).map(tuple)
configs = st.dictionaries(st.text(min_size=1), shapes, min_size=1) | st.lists(shapes, min_size=1)


@given(configs)
def test_what_is_rendered_is_read_back(config) -> None:
    assert parse(render(config)) == config


@given(configs)
def test_python_literals_are_read_too(config) -> None:
    assert parse(repr(config)) == config


def test_the_order_of_names_is_kept() -> None:
    assert list(parse('{"z": [1], "a": [2]}')) == ["z", "a"]


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("{'input0': [1, 3, 224, 224]}", {"input0": (1, 3, 224, 224)}),
        ('{"x": [null, 8]}', {"x": (None, 8)}),
        ('{"x": [-1, 8]}', {"x": (None, 8)}),
        ("[[1, 3, 224, 224], [1, 2]]", [(1, 3, 224, 224), (1, 2)]),
        ('[{"a": [1]}, {"b": [2]}]', {"a": (1,), "b": (2,)}),
        ('{"x": {"shape": [1, 2]}}', {"x": (1, 2)}),
        ('[{"shape": [1, 2]}]', [(1, 2)]),
        ('{"scalar": []}', {"scalar": ()}),
        ('  {"x": [1]}\n', {"x": (1,)}),
    ],
)
def test_the_forms_that_users_write(text: str, config: object) -> None:
    assert parse(text) == config


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "neither JSON"),
        ("{x: [1]}", "neither JSON"),
        ("{}", "names no input"),
        ("[]", "lists no input"),
        ("3", "is a number"),
        ("null", "is null"),
        ('"x"', "is text"),
        ('{"x": 3}', "shape of input 'x' is a number"),
        ('{"x": "1,2"}', "shape of input 'x' is text"),
        ('{"x": [0]}', "dimension 0 of input 'x' is 0"),
        ('{"x": [1, -2]}', "dimension 1 of input 'x' is -2"),
        ('{"x": [1.0]}', "is 1.0"),
        ('{"x": [true]}', "is True"),
        ('{"x": ["1..10"]}', "is '1..10'"),
        ('{"x": [4294967296]}', "is 4294967296"),
        ('{"": [1]}', "input name ''"),
        ("{1: [1]}", "input name 1"),
        ('{"x": [1], "x": [2]}', "'x' occurs twice"),
        ('[{"a": [1]}, {"a": [2]}]', "names an input twice"),
        ('{"x": {"shape": [1], "type": "Image"}}', "only Core ML"),
        ("[[1], 2]", "input 1 is a number"),
        ("__import__('os')", "neither JSON"),
    ],
)
def test_what_is_wrong_is_said_with_the_input_and_a_next_step(text: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert problem in caught.value.message
    assert caught.value.hint


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        assert parse(text)
