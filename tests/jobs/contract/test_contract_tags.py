"""AddTags, ListTags and DeleteTags on compilation jobs."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.jobs.contract.operations import arn_of, create_request

ARN = arn_of("job")


def tag_list(**values: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def tags(sagemaker: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=ARN)["Tags"]}


def test_tags_of_the_create_request_are_the_jobs(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request(Tags=tag_list(team="vision", größe="名前")))
    assert tags(sagemaker) == {"team": "vision", "größe": "名前"}


def test_a_job_without_tags(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request())
    answer = sagemaker.list_tags(ResourceArn=ARN)
    assert answer["Tags"] == []
    assert "NextToken" not in answer


def test_adding_overwrites_and_answers_all(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request(Tags=tag_list(a="1", b="2")))
    answer = sagemaker.add_tags(ResourceArn=ARN, Tags=tag_list(b="3", c="4"))
    assert answer["Tags"] == tag_list(a="1", b="3", c="4")
    assert tags(sagemaker) == {"a": "1", "b": "3", "c": "4"}


def test_deleting_ignores_keys_that_are_not_there(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request(Tags=tag_list(a="1", b="2")))
    sagemaker.delete_tags(ResourceArn=ARN, TagKeys=["a", "zzz"])
    assert tags(sagemaker) == {"b": "2"}


def test_a_resource_has_at_most_fifty_tags(sagemaker: Any) -> None:
    fifty = tag_list(**{f"key{index}": "" for index in range(50)})
    sagemaker.create_compilation_job(**create_request(Tags=fifty))
    sagemaker.add_tags(ResourceArn=ARN, Tags=tag_list(key0="new value"))
    with pytest.raises(ClientError, match="would have 51 tags; at most 50"):
        sagemaker.add_tags(ResourceArn=ARN, Tags=tag_list(one="more"))
    assert len(tags(sagemaker)) == 50
    assert tags(sagemaker)["key0"] == "new value"


@pytest.mark.parametrize("key", ["aws:x", "AWS:x", "aws:"])
def test_the_systems_prefix_is_refused(sagemaker: Any, key: str) -> None:
    sagemaker.create_compilation_job(**create_request())
    with pytest.raises(ClientError, match=r"at 'tags.1.member.key' .* reserved for system use"):
        sagemaker.add_tags(ResourceArn=ARN, Tags=[{"Key": key, "Value": ""}])


@pytest.mark.parametrize(
    ("operation", "members"),
    [("list_tags", {}), ("add_tags", {"Tags": tag_list(a="1")}), ("delete_tags", {"TagKeys": ["a"]})],
)
@pytest.mark.parametrize("arn", [ARN, ARN.replace("compilation-job", "training-job")])
def test_a_resource_that_is_not_there(
    sagemaker: Any, operation: str, members: dict[str, Any], arn: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(sagemaker, operation)(ResourceArn=arn, **members)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFound"
    assert arn in caught.value.response["Error"]["Message"]


def test_tags_go_with_their_job(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request(Tags=tag_list(a="1")))
    sagemaker.stop_compilation_job(CompilationJobName="job")
    sagemaker.delete_compilation_job(CompilationJobName="job")
    sagemaker.create_compilation_job(**create_request())
    assert tags(sagemaker) == {}


def test_the_paginator_works_and_a_token_is_refused(sagemaker: Any) -> None:
    sagemaker.create_compilation_job(**create_request(Tags=tag_list(a="1")))
    pages = list(sagemaker.get_paginator("list_tags").paginate(ResourceArn=ARN))
    assert [page["Tags"] for page in pages] == [tag_list(a="1")]
    with pytest.raises(ClientError, match="Invalid NextToken"):
        sagemaker.list_tags(ResourceArn=ARN, NextToken="x", MaxResults=50)
