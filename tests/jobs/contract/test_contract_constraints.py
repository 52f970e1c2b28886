"""Every constraint of the service model is enforced by the service, at the right member path.

The cases are read from botocore's model: values on both sides of each bound, in and out of each pattern
and enumeration. botocore's own checks are off, so that each request reaches the service.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neo_magics.api.contract import service_model
from tests.jobs.contract.operations import OPERATIONS, arn_of, create_request

TAG_PATTERN = r"[\w .:/=+@-]*"  # the ASCII part of \p{L}\p{Z}\p{N}

BASES: dict[str, dict[str, Any]] = {
    "CreateCompilationJob": create_request(
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}, Tags=[{"Key": "k", "Value": "v"}]
    ),
    "DescribeCompilationJob": {"CompilationJobName": "job"},
    "ListCompilationJobs": {},
    "StopCompilationJob": {"CompilationJobName": "job"},
    "DeleteCompilationJob": {"CompilationJobName": "job"},
    "AddTags": {"ResourceArn": arn_of("job"), "Tags": [{"Key": "k", "Value": "v"}]},
    "ListTags": {"ResourceArn": arn_of("job")},
    "DeleteTags": {"ResourceArn": arn_of("job"), "TagKeys": ["k"]},
}


@dataclass(frozen=True)
class Member:
    """A member of a request: where it is in Python, what AWS calls that place, and its shape."""

    operation: str
    keys: tuple[str | int, ...]
    path: str
    shape: Any

    def __str__(self) -> str:
        return f"{self.operation}-{self.path or 'request'}"


def members(operation: str) -> Iterator[Member]:
    shape = service_model("sagemaker").operation_model(operation).input_shape
    yield from below(Member(operation, (), "", shape))


def below(member: Member) -> Iterator[Member]:
    yield member
    if member.shape.type_name == "structure":
        for name, shape in member.shape.members.items():
            small = name[0].lower() + name[1:]
            path = f"{member.path}.{small}" if member.path else small
            yield from below(Member(member.operation, (*member.keys, name), path, shape))
    elif member.shape.type_name == "list" and member.shape.member.type_name == "structure":
        path = f"{member.path}.1.member"
        yield from below(Member(member.operation, (*member.keys, 0), path, member.shape.member))


ALL = [member for operation in OPERATIONS["sagemaker"] for member in members(operation)]
STRINGS = [m for m in ALL if m.shape.type_name == "string"]
NUMBERS = [m for m in ALL if m.shape.type_name in ("integer", "long")]
LISTS = [m for m in ALL if m.shape.type_name == "list"]
REQUIRED = [
    Member(m.operation, (*m.keys, name), f"{m.path}.{small}" if m.path else small, m.shape.members[name])
    for m in ALL
    if m.shape.type_name == "structure"
    for name in m.shape.required_members
    for small in [name[0].lower() + name[1:]]
]


def with_value(member: Member, value: Any) -> dict[str, Any]:
    """The operation's legal request with `value` at the member's place; None takes the member away."""
    request = copy.deepcopy(BASES[member.operation])
    place: Any = request
    for key, following in zip(member.keys[:-1], member.keys[1:], strict=True):
        if isinstance(place, dict):
            place = place.setdefault(key, [{}] if isinstance(following, int) else {})
        else:
            place = place[key]
    if value is None:
        place.pop(member.keys[-1], None)
    else:
        place[member.keys[-1]] = value
    return request


def complaints(client: Any, operation: str, request: dict[str, Any]) -> str:
    """The ValidationException's message; "" where the request was not refused for its form."""
    method = re.sub("(?<!^)(?=[A-Z])", "_", operation).lower()
    try:
        getattr(client, method)(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationException":
            return str(error.response["Error"]["Message"])
    return ""


def assert_told(message: str, path: str, constraint: str, expected: bool) -> None:
    told = f"at '{path}' failed to satisfy constraint: {constraint}" in message
    assert told is expected, f"{constraint!r} at {path!r}: told {told}, expected {expected}, in {message!r}"


def assert_bounds_told(message: str, member: Member, size: int, what: str) -> None:
    low, high = member.shape.metadata.get("min"), member.shape.metadata.get("max")
    if high is not None:
        limit = f"Member must have {what} less than or equal to {high}"
        assert_told(message, member.path, limit, size > high)
    if low is not None:
        limit = f"Member must have {what} greater than or equal to {low}"
        assert_told(message, member.path, limit, size < low)


def ascii_pattern(shape: Any) -> str | None:
    pattern = shape.metadata.get("pattern")
    return TAG_PATTERN if pattern and r"\p{" in pattern else pattern


def texts(shape: Any) -> st.SearchStrategy[str]:
    """Texts in and out of the pattern, and as long as the bounds and one more or less."""
    choices = [st.text(max_size=12)]
    if pattern := ascii_pattern(shape):
        choices.append(st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True))
    if shape.enum:
        choices.append(st.sampled_from(shape.enum))
    bounds = [shape.metadata[name] for name in ("min", "max") if name in shape.metadata]
    lengths = {length for bound in bounds for length in (bound - 1, bound, bound + 1) if length >= 0}
    if lengths:
        choices.append(st.sampled_from(sorted(lengths)).map("a".__mul__))
    return st.one_of(choices)


few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("member", STRINGS, ids=str)
@few
@given(data=st.data())
def test_a_string_is_refused_for_exactly_the_constraints_it_breaks(
    bare_sagemaker: Any, member: Member, data: Any
) -> None:
    text = data.draw(texts(member.shape))
    message = complaints(bare_sagemaker, member.operation, with_value(member, text))
    assert_bounds_told(message, member, len(text), "length")
    if member.shape.enum:
        values = f"Member must satisfy enum value set: [{', '.join(member.shape.enum)}]"
        assert_told(message, member.path, values, text not in member.shape.enum)
    if pattern := ascii_pattern(member.shape):
        if pattern is TAG_PATTERN and not text.isascii():
            return
        rule = f"Member must satisfy regular expression pattern: {member.shape.metadata['pattern']}"
        assert_told(message, member.path, rule, not re.fullmatch(pattern, text, re.ASCII))


@pytest.mark.parametrize("member", NUMBERS, ids=str)
@few
@given(data=st.data())
def test_a_number_is_refused_for_exactly_the_bound_it_breaks(
    bare_sagemaker: Any, member: Member, data: Any
) -> None:
    bounds = [member.shape.metadata[name] for name in ("min", "max") if name in member.shape.metadata]
    near = st.sampled_from([bound + step for bound in bounds for step in (-1, 0, 1)])
    number = data.draw(near | st.integers(-(2**31), 2**31 - 1))
    message = complaints(bare_sagemaker, member.operation, with_value(member, number))
    assert_bounds_told(message, member, number, "value")


@pytest.mark.parametrize("member", LISTS, ids=str)
def test_a_list_is_refused_for_exactly_the_bound_it_breaks(bare_sagemaker: Any, member: Member) -> None:
    low, high = member.shape.metadata["min"], member.shape.metadata["max"]
    for size in {max(low - 1, 0), low, low + 1, high - 1, high, high + 1}:
        values: list[Any] = [f"k{index}" for index in range(size)]
        if member.shape.member.type_name == "structure":
            values = [{"Key": key, "Value": ""} for key in values]
        message = complaints(bare_sagemaker, member.operation, with_value(member, values))
        assert_bounds_told(message, member, size, "length")


@pytest.mark.parametrize("member", [m for m in LISTS if m.shape.member.type_name == "string"], ids=str)
@few
@given(data=st.data())
def test_a_bad_element_is_told_by_its_list_with_all_rules(
    bare_sagemaker: Any, member: Member, data: Any
) -> None:
    element = member.shape.member
    text = data.draw(texts(element).filter(str.isascii))
    metadata = element.metadata
    good = metadata["min"] <= len(text) <= metadata["max"] and re.fullmatch(
        ascii_pattern(element) or "", text
    )
    message = complaints(bare_sagemaker, member.operation, with_value(member, [text]))
    rules = (
        f"Member must satisfy constraint: [Member must have length less than or equal to {metadata['max']}, "
        f"Member must have length greater than or equal to {metadata['min']}, "
        f"Member must satisfy regular expression pattern: {metadata['pattern']}"
    )
    assert_told(message, member.path, rules, not good)


@pytest.mark.parametrize("member", REQUIRED, ids=str)
def test_a_required_member_must_be_there(bare_sagemaker: Any, member: Member) -> None:
    message = complaints(bare_sagemaker, member.operation, with_value(member, None))
    expected = f"Value null at '{member.path}' failed to satisfy constraint: Member must not be null"
    assert expected in message


def test_the_legal_requests_are_legal(bare_sagemaker: Any) -> None:
    for operation in OPERATIONS["sagemaker"]:
        refused = complaints(bare_sagemaker, operation, BASES[operation])
        assert not refused or "because the compilation job is in status" in refused


def test_all_violations_come_at_once_in_awss_wording(bare_sagemaker: Any) -> None:
    long_name = "x" * 63 + "!"
    message = complaints(bare_sagemaker, "CreateCompilationJob", {"CompilationJobName": long_name})
    assert message == (
        "6 validation errors detected: "
        "Value null at 'roleArn' failed to satisfy constraint: Member must not be null; "
        "Value null at 'outputConfig' failed to satisfy constraint: Member must not be null; "
        "Value null at 'stoppingCondition' failed to satisfy constraint: Member must not be null; "
        f"Value '{long_name}' at 'compilationJobName' failed to satisfy constraint: "
        "Member must have length less than or equal to 63; "
        f"Value '{long_name}' at 'compilationJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; "
        "Value null at 'inputConfig' failed to satisfy constraint: "
        "Member must not be null unless modelPackageVersionArn is given"
    )
