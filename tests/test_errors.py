"""Errors are short, carry the next step, and survive a trip between processes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neo_magics import errors


def every_error() -> list[type[errors.NeoMagicsError]]:
    found, queue = [], [errors.NeoMagicsError]
    while queue:
        cls = queue.pop()
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return found


def make(cls: type[errors.NeoMagicsError]) -> errors.NeoMagicsError:
    if issubclass(cls, errors.ApiError):
        return cls("ValidationException", "It is wrong.", hint="Make it right.", member="name")
    return cls("It is wrong.", hint="Make it right.", member="name")


@pytest.mark.parametrize("cls", every_error())
def test_every_error_survives_pickling_with_its_parts(cls: type[errors.NeoMagicsError]) -> None:
    error = make(cls)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert (copy.message, copy.hint, copy.fields) == (error.message, error.hint, error.fields)


def test_an_error_reads_as_message_then_next_step() -> None:
    error = errors.CaptureError("No input shape is known.", hint="Give --input x.")
    assert str(error) == "No input shape is known. Give --input x."
    assert error._render_traceback_() == ["CaptureError: No input shape is known.", "  → Give --input x."]


def test_an_api_error_keeps_the_code_of_aws() -> None:
    assert errors.ApiError("ResourceInUse", "taken").code == "ResourceInUse"


def test_a_failure_reason_has_neos_prefix_and_the_stage() -> None:
    reason = errors.failure_reason(errors.InputError("No pth file found."), "import")
    assert reason == "ClientError: InputConfiguration: No pth file found. (stage: import)"


def test_a_foreign_exception_is_a_server_error_that_names_its_type() -> None:
    assert errors.failure_reason(ZeroDivisionError("by zero")) == "ServerError: ZeroDivisionError: by zero"


@given(st.text(max_size=5000), st.sampled_from(["", "import", "upload"]))
def test_a_failure_reason_fits_the_api_and_keeps_the_stage(text: str, stage: str) -> None:
    reason = errors.failure_reason(errors.CompilationError(text), stage)
    assert len(reason) <= errors.REASON_LIMIT
    assert reason.endswith(f"(stage: {stage})" if stage else "")
