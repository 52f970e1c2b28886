"""The service model's patterns, read as Java reads them."""

from __future__ import annotations

import pytest

from neo_magics.api.contract import service_model
from neo_magics.api.patterns import matches

TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"


@pytest.mark.parametrize("text", ["", "a-b_c", "größe", "名前", "٣", "a\u00a0b", "x=1/2:3.4+5@6"])
def test_letters_digits_and_spaces_of_all_scripts(text: str) -> None:
    assert matches(TAG, text)


@pytest.mark.parametrize("text", ["!", "a\tb", "a\nb", "€", "\x00", "a\u200bb", "🙂"])
def test_other_characters_are_not_letters(text: str) -> None:
    assert not matches(TAG, text)


def test_the_whole_text_must_match() -> None:
    assert matches("[a-z]+", "abc")
    assert not matches("[a-z]+", "abc\n")
    assert not matches("[a-z]+", "abc!")
    assert not matches("a|b", "ab")


def test_digits_and_words_are_ascii_as_in_java() -> None:
    assert not matches(r"\d{3}", "١٢٣")
    assert not matches(r"\w+", "ä")


@pytest.mark.parametrize("service", ["sagemaker", "logs"])
def test_every_pattern_of_our_operations_compiles(service: str) -> None:
    from tests.jobs.contract.operations import OPERATIONS, shapes_of

    patterns = {
        shape.metadata["pattern"]
        for operation in OPERATIONS[service]
        for shape in shapes_of(service_model(service).operation_model(operation).input_shape)
        if "pattern" in shape.metadata
    }
    assert len(patterns) >= 5
    for pattern in patterns:
        matches(pattern, "x")
