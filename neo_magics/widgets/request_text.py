"""The request that created a job, and the same request as a %%compile cell, for boto3 and for the aws cli."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping
from typing import Any

from neo_magics.api.compiler_options import parse
from neo_magics.compilation import MAX_RUNTIME_SECONDS
from neo_magics.errors import NeoMagicsError
from neo_magics.settings import LOCAL

# What DescribeCompilationJob says beyond what was asked for.
_ANSWERED = {
    "CompilationJobArn", "CompilationJobStatus", "CompilationStartTime", "CompilationEndTime",
    "CreationTime", "DerivedInformation", "FailureReason", "InferenceImage", "LastModifiedTime",
    "ModelArtifacts", "ModelDigests", "ResponseMetadata",
}  # fmt: skip


def request_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """The request behind DescribeCompilationJob's answer."""
    return {key: value for key, value in description.items() if key not in _ANSWERED and value}


def request_texts(request: Mapping[str, Any], backend: str) -> dict[str, str]:
    """The request in each tongue: what it is called → the text to copy."""
    return {
        "JSON": json.dumps(request, indent=2, default=str),
        "%%compile": compile_cell(request, backend),
        "boto3": boto3_call(request, backend),
        "aws cli": aws_command(request),
    }


def compile_cell(request: Mapping[str, Any], backend: str) -> str:
    """A cell that files such a job again; the model is the cell's last line, as the request knows no name."""
    source, output = request.get("InputConfig", {}), request.get("OutputConfig", {})
    words = [*_target(output), *_shapes(source), *_options(output), *_limits(request)]
    if backend != LOCAL:
        words += ["--backend", backend]
    return " ".join(["%%compile", *words, "-o", "job"]) + "\nmodel"


def boto3_call(request: Mapping[str, Any], backend: str) -> str:
    """A call of boto3 through this package."""
    members = "\n".join(f"    {name}={_python(value)}," for name, value in request.items())
    return (
        "import neo_magics\n\n"
        f'sagemaker = neo_magics.boto3_client("sagemaker", backend="{backend}")\n'
        f"sagemaker.create_compilation_job(\n{members}\n)"
    )


def aws_command(request: Mapping[str, Any]) -> str:
    """A command of the aws cli."""
    body = shlex.quote(json.dumps(request, default=str))
    return f"aws sagemaker create-compilation-job --cli-input-json {body}"


def _python(value: Any, indent: str = "    ") -> str:
    """`value` as a Python literal; a dict has a line for each member."""
    if isinstance(value, Mapping) and value:
        inner = indent + "    "
        members = "".join(f"{inner}{_python(key)}: {_python(each, inner)},\n" for key, each in value.items())
        return f"{{\n{members}{indent}}}"
    if isinstance(value, list):
        return f"[{', '.join(_python(each, indent) for each in value)}]"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _target(output: Mapping[str, Any]) -> list[str]:
    if device := output.get("TargetDevice"):
        return ["--target", device]
    platform = output.get("TargetPlatform") or {}
    if _chosen(output).get("mcpu") == "native":
        return ["--target", LOCAL]
    parts = (platform.get("Os"), platform.get("Arch"), platform.get("Accelerator"))
    return ["--platform", "_".join(filter(None, parts))]


def _shapes(source: Mapping[str, Any]) -> list[str]:
    shapes = source.get("DataInputConfig")
    return ["--input-shape", " ".join(shapes.split())] if shapes else []


def _options(output: Mapping[str, Any]) -> list[str]:
    chosen = _chosen(output)
    words = [
        word
        for key in ("dtype", "mcpu", "mattr", "tolerance", "tune")
        if chosen.get(key) not in (None, "", "native")
        for word in (f"--{key}", str(chosen[key]))
    ]
    flags = {"trust-pickle": "--trust-pickle", "no-cache": "--no-cache"}
    return [*words, *_precision(chosen), *(flag for key, flag in flags.items() if chosen.get(key))]


def _precision(chosen: Mapping[str, Any]) -> list[str]:
    """The magic's --dtype says the precision too; int8's calibration inputs are called data."""
    words = ["--dtype", chosen["precision"]] if chosen.get("precision") else []
    return [*words, "--calibrate", "data"] if words[1:] == ["int8"] else words


def _chosen(output: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return parse(output.get("CompilerOptions")).raw
    except NeoMagicsError:
        return {}  # another service's options


def _limits(request: Mapping[str, Any]) -> list[str]:
    """What differs from the usual limit, which tuning adds to."""
    seconds = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
    usual = MAX_RUNTIME_SECONDS + math.ceil(_chosen(request.get("OutputConfig", {})).get("tune") or 0)
    return ["--max-runtime", str(seconds)] if seconds not in (None, usual) else []
