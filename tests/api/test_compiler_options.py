"""CompilerOptions: Neo's keys and ours, read strictly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics.api.compiler_options import CompilerOptions, parse, read
from neo_magics.errors import ApiError


def test_all_keys() -> None:
    text = json.dumps(
        {
            "dtype": "float",
            "mcpu": "cortex-a72",
            "mattr": ["+neon", "-crypto"],
            "tolerance": 0.01,
            "trust-pickle": True,
            "strict": True,
            "no-cache": True,
            "threads": 2,
            "tune": 60,
        }
    )
    options = parse(text)
    assert options == CompilerOptions(
        "float32", "cortex-a72", ("+neon", "-crypto"), 0.01, True, True, False, 2, 60.0, json.loads(text)
    )


@pytest.mark.parametrize("text", [None, "", "{}", "{ }"])
def test_no_options_are_the_defaults(text: str | None) -> None:
    assert parse(text) == CompilerOptions()


def test_python_literals_are_read_because_the_reference_uses_them() -> None:
    assert parse("{'mattr': ['+neon', '+vfpv4']}").mattr == ("+neon", "+vfpv4")
    assert parse("{'mattr': '+neon,+vfpv4'}").mattr == ("+neon", "+vfpv4")
    assert parse("{'strict': True}").strict


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"mcpy": "x"}', "'mcpy' is not a compiler option; did you mean 'mcpu'?"),
        ('{"zzz": 1}', "known are dtype, mcpu"),
        ('{"gpu-code": "sm_72"}', "option of NVIDIA targets"),
        ('{"dtype": "float3"}', "'dtype' must be one of"),
        ('{"mcpu": "a b"}', "'mcpu' must be the name of a CPU"),
        ('{"mcpu": "-x --y"}', "'mcpu' must be"),
        ('{"mattr": ["neon"]}', "'mattr' must be a list of CPU flags"),
        ('{"tolerance": 0}', "'tolerance' must be a positive number"),
        ('{"tolerance": true}', "'tolerance' must be a positive number"),
        ('{"strict": 1}', "'strict' must be true or false"),
        ('{"threads": 0}', "'threads' must be a whole number"),
        ('{"tolerance": NaN}', "NaN is not a value of JSON"),
        ('{"mcpu": "a", "mcpu": "b"}', "'mcpu' occurs twice"),
        ("{'mcpu': 'a', 'mcpu': 'b'}", "'mcpu' occurs twice"),
        ('"--verbose 1"', "must be a JSON object, got str"),
        ("[1]", "must be a JSON object"),
        ("{mcpu: x}", "neither JSON"),
        ("(" * 5000, "neither JSON|nested too deeply"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse(text)
    assert caught.value.code == "ValidationException"
    assert any(part in str(caught.value) for part in problem.split("|"))


def test_all_problems_are_said_at_once() -> None:
    problems, options = read('{"mcpy": 1, "threads": -1, "strict": 0}')
    assert len(problems) == 3
    assert options == CompilerOptions()


@given(st.text(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_text_is_read_or_refused(text: str) -> None:
    problems, options = read(text)
    assert problems or isinstance(options, CompilerOptions)
