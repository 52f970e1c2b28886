"""What the service model cannot say about a request: members that exclude each other, and their content.

Also what the local service cannot do with a legal request: it is refused when the job is created, with
the reason and the next step, rather than when it runs.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from neo_magics.api import compiler_options, devices, frameworks, input_config
from neo_magics.api.constraints import Violation, member_path
from neo_magics.errors import ApiError, InputError

Request = Mapping[str, Any]


def semantic_violations(operation: str, request: Request) -> Iterator[Violation]:
    """What is wrong with a request of `operation` beyond the service model's constraints."""
    for check in _CHECKS.get(operation, ()):
        yield from check(request)


def _source(request: Request) -> Iterator[Violation]:
    config, package = request.get("InputConfig"), request.get("ModelPackageVersionArn")
    if package is not None and config is not None:
        yield Violation(
            "inputConfig", config, "Member must not be given together with modelPackageVersionArn"
        )
    elif package is not None:
        yield Violation(
            "modelPackageVersionArn",
            package,
            "Member names a model package of a SageMaker registry, which the local service cannot read; "
            "give the model's archive in inputConfig, or use --backend sagemaker",
        )
    elif config is None:
        yield Violation("inputConfig", None, "Member must not be null unless modelPackageVersionArn is given")


def _input(request: Request) -> Iterator[Violation]:
    config = _mapping(request, "InputConfig")
    framework = config.get("Framework")
    if isinstance(framework, str) and (reason := frameworks.refusal(framework)):
        yield Violation("inputConfig.framework", framework, f"Member must be compiled for here: {reason}")
    yield from _location("inputConfig.s3Uri", config.get("S3Uri"), needs_key=True)
    text = config.get("DataInputConfig")
    if isinstance(text, str):
        try:
            input_config.parse(text)
        except InputError as error:
            yield Violation(
                "inputConfig.dataInputConfig", text, f"Member must give names and shapes: {error}"
            )


def _location(path: str, uri: Any, *, needs_key: bool = False) -> Iterator[Violation]:
    if not isinstance(uri, str):
        return
    if uri.startswith("https://"):
        yield Violation(path, uri, "Member must be an s3:// URI; the local service does not fetch over https")
    _, _, key = uri.removeprefix("s3://").partition("/")
    if needs_key and uri.startswith("s3://") and (not key or key.endswith("/")):
        yield Violation(path, uri, "Member must name an object: s3://bucket/folder/model.tar.gz")


def _output(request: Request) -> Iterator[Violation]:
    config = _mapping(request, "OutputConfig")
    yield from _location("outputConfig.s3OutputLocation", config.get("S3OutputLocation"))
    if config.get("KmsKeyId"):
        yield Violation(
            "outputConfig.kmsKeyId",
            config["KmsKeyId"],
            "Member must be left out: the local service does not encrypt artifacts; "
            "without it they are stored as they are, with --backend sagemaker they are encrypted",
        )
    if "OutputConfig" in request:
        yield from _target(config)
    text = config.get("CompilerOptions")
    if isinstance(text, str):
        yield from _options(config, text)


def _target(config: Request) -> Iterator[Violation]:
    device, target = config.get("TargetDevice"), config.get("TargetPlatform")
    if device is not None and target is not None:
        yield Violation(
            "outputConfig.targetDevice", device, "Member must not be given together with targetPlatform"
        )
    elif device is None and target is None:
        yield Violation(
            "outputConfig.targetDevice", None, "Member must not be null unless targetPlatform is given"
        )
    else:
        path = "outputConfig.targetDevice" if device is not None else "outputConfig.targetPlatform"
        resolved = _resolved(config)
        if resolved is not None and resolved.refused:
            value = device if device is not None else target
            yield Violation(
                path, value, f"Member must be a target that is compiled for here: {resolved.refused}"
            )


def _options(config: Request, text: str) -> Iterator[Violation]:
    problems, options = compiler_options.read(text)
    for problem in problems:
        yield Violation("outputConfig.compilerOptions", text, f"Member must be valid options: {problem}")
    device = _resolved(config)
    if options.mcpu == "native" and device is not None and not _is_this_machine(device):
        yield Violation(
            "outputConfig.compilerOptions",
            text,
            f"Member must name the CPU: 'native' is that of this machine, which is not a {device.arch} one",
        )


def _is_this_machine(device: devices.Device) -> bool:
    try:
        return devices.machine_platform(platform.machine())["Arch"] == device.arch
    except ApiError:
        return False


def _resolved(config: Request) -> devices.Device | None:
    """The device of the request; None where its members are wrong in themselves, which is told elsewhere."""
    target = config.get("TargetPlatform")
    if target is not None and not isinstance(target, Mapping):
        return None
    try:
        return devices.resolve(config)
    except (ApiError, TypeError):
        return None


def _stopping(request: Request) -> Iterator[Violation]:
    condition = _mapping(request, "StoppingCondition")
    wait, run = condition.get("MaxWaitTimeInSeconds"), condition.get("MaxRuntimeInSeconds")
    if isinstance(wait, int) and isinstance(run, int) and wait < run:
        yield Violation(
            "stoppingCondition.maxWaitTimeInSeconds",
            wait,
            f"Member must have value greater than or equal to maxRuntimeInSeconds ({run})",
        )


def _tags(request: Request) -> Iterator[Violation]:
    tags = request.get("Tags")
    if not isinstance(tags, list):
        return
    keys = [tag.get("Key") if isinstance(tag, Mapping) else None for tag in tags]
    for index, key in enumerate(keys, start=1):
        if isinstance(key, str) and key.lower().startswith("aws:"):
            path = f"tags.{index}.member.key"
            yield Violation(path, key, "Member must not begin with 'aws:', which is reserved for system use")
    repeated = [key for key, count in Counter(k for k in keys if isinstance(k, str)).items() if count > 1]
    if repeated:
        yield Violation("tags", repeated, "Member must not contain the same tag key twice")


def _ranges(request: Request) -> Iterator[Violation]:
    for name in ("CreationTime", "LastModifiedTime"):
        after, before = request.get(f"{name}After"), request.get(f"{name}Before")
        if isinstance(after, int | float) and isinstance(before, int | float) and after > before:
            path = member_path("", f"{name}After")
            yield Violation(path, after, f"Member must not be later than {member_path('', name)}Before")


def _mapping(request: Request, name: str) -> Request:
    value = request.get(name)
    return value if isinstance(value, Mapping) else {}


_CHECKS: Mapping[str, tuple[Callable[[Request], Iterator[Violation]], ...]] = {
    "CreateCompilationJob": (_source, _input, _output, _stopping, _tags),
    "AddTags": (_tags,),
    "ListCompilationJobs": (_ranges,),
}
