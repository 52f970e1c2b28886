"""From a live model to a running job: capture, archive, upload, create."""

from __future__ import annotations

import json
import math
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from unicodedata import combining, normalize

from neo_magics.api.target_names import device_named, nearest, platform_named, this_machine
from neo_magics.errors import TargetError, UsageError
from neo_magics.job import Job, resolve_backend
from neo_magics.settings import LOCAL, SAGEMAKER
from neo_magics.submission import check, submit

if TYPE_CHECKING:
    from neo_magics.capture.archive import ModelArchive
    from neo_magics.client import Backend

NAME_LIMIT = 63  # characters of a CompilationJobName
MAX_RUNTIME_SECONDS = 900  # what the SageMaker SDKs use


class CompileOptions(TypedDict, total=False):
    """The rarer arguments of `compile`.

    `platform` "LINUX_ARM64" or {"Os": …, "Arch": …} in place of a target device; `framework` of a model
    file; `dtype` "bf16" or "int8" computes in that precision with inputs and outputs as they are, any
    other is Neo's dtype of the inputs; `calibration` typical inputs for int8, in many rows or a list of
    examples; `mcpu`, `mattr` as Neo's CompilerOptions; `tolerance` the largest accepted relative difference;
    `tune` seconds to spend on timing kernels; `max_runtime` seconds of the job; `cache` False compiles even
    if the artifact exists; `trust_pickle` allows model files that hold a pickle; `role` and `bucket` on the
    backend; `tags` of the job.
    """

    platform: str | Mapping[str, str] | None
    framework: str | None
    dtype: str | None
    calibration: Any
    mcpu: str | None
    mattr: str | None
    tolerance: float | None
    max_runtime: int | None
    cache: bool
    trust_pickle: bool
    tune: float | None
    role: str | None
    bucket: str | None
    tags: Mapping[str, str] | None


def compile(
    model: Any,
    *,
    inputs: Any = None,
    target: str = LOCAL,
    input_shape: str | Mapping[str, Any] | None = None,
    name: str | None = None,
    backend: str | Backend | None = None,
    wait: bool = False,
    **options: Unpack[CompileOptions],
) -> Job:
    """Compile `model` for `target` in a CompilationJob; return the job at once, or with `wait` at its end.

    `model`: a torch.nn.Module, ExportedProgram, TorchScript, onnx.ModelProto, keras.Model, bytes of a
    TFLite model, XGBoost or LightGBM Booster or estimator, scikit-learn estimator or
    pipeline, or a path to a model file.
    `inputs`: example inputs (array, tensor, tuple or dict); or `input_shape` such as
    {"x": [None, 3, 224, 224]}, where None is a free dimension. `target`: a device of the API, or "local"
    for this machine.

    Raises:
        CaptureError: the model cannot be captured.
        TargetError: the target is unknown.
        UsageError: an argument that there is not; or the service refused the request, and the message lists
            everything that is wrong.
        JobFailedError: with `wait`, the job did not complete.
    """
    _check_names(options)
    where = resolve_backend(backend)
    output = Target.parse(None if options.get("platform") else target, options.get("platform"), where.name)
    archive = capture_for(where, model, inputs=inputs, input_shape=input_shape, **options)
    title = name or job_name(model, options.get("platform") or target)
    job = submit(archive, request_for(archive, output, where, name=title, **options), where)
    return job.wait() if wait else job


def _check_names(options: Iterable[str]) -> None:
    """A misspelt option would compile something else than was asked for."""
    known = ("inputs", "target", "input_shape", "name", "backend", "wait", *CompileOptions.__annotations__)
    for name in options:
        if name not in CompileOptions.__annotations__:
            near = nearest(name, known)
            hint = f"Did you mean {near}?" if near else f"It takes {', '.join(known)}."
            raise UsageError(f"compile() has no argument {name!r}.", hint=hint)


def capture_for(
    backend: Backend,
    model: Any,
    *,
    inputs: Any = None,
    input_shape: str | Mapping[str, Any] | None = None,
    **options: Unpack[CompileOptions],
) -> ModelArchive:
    """`model` as the archive that `backend` takes: the portable form unless it is the local one."""
    from neo_magics.capture.registry import capture

    _role(backend, options)  # what is missing is said before the work begins
    if options.get("tune") and backend.name == SAGEMAKER:
        raise UsageError("SageMaker times no kernels.", hint="Leave --tune out, or use the local backend.")
    precision = dtype_option(options.get("dtype")).get("precision")
    data = options.get("calibration")
    _check_precision(precision, backend, calibrated=data is not None)
    archive = capture(
        model,
        inputs=inputs,
        input_shape=input_shape,
        framework=options.get("framework"),
        portable=not backend.is_local,
        trust_pickle=bool(options.get("trust_pickle")),
    )
    if data is None:
        return archive
    from neo_magics.capture.calibration import calibration_inputs

    return replace(archive, calibration=calibration_inputs(data, archive))


def _check_precision(precision: str | None, backend: Backend, *, calibrated: bool) -> None:
    if precision and backend.name == SAGEMAKER:
        raise UsageError(
            f"SageMaker Neo has no option for {precision} arithmetic.",
            hint="Leave the dtype out, or compile with --backend local.",
        )
    if precision == "int8" and not calibrated:
        raise UsageError(
            "int8 needs calibration inputs: they tell the range of each layer.",
            hint="Give typical inputs: --calibrate data, or calibration=data; "
            'for int8 inputs say {"dtype": "int8"} in CompilerOptions.',
        )
    if calibrated and precision != "int8":
        raise UsageError("Calibration inputs are for int8.", hint="Add --dtype int8, or leave them out.")


def request_for(
    archive: ModelArchive, target: Target, backend: Backend, *, name: str, **options: Unpack[CompileOptions]
) -> dict[str, Any]:
    """The CreateCompilationJob request for `archive` on `target`, checked as far as it can be from here.

    The model's key is new each time: another job of this name keeps the model that it was given.

    Raises:
        UsageError: the backend would refuse it.
    """
    bucket = options.get("bucket") or backend.settings.bucket
    uri = f"s3://{bucket}/{name}/{secrets.token_hex(4)}/model.tar.gz"
    request: dict[str, Any] = {
        "CompilationJobName": name,
        "RoleArn": _role(backend, options),
        "InputConfig": {
            "S3Uri": uri,
            "DataInputConfig": archive.data_input_config,
            "Framework": archive.framework,
        },
        "OutputConfig": {"S3OutputLocation": f"s3://{bucket}/{name}/output/", **target.output(options)},
        "StoppingCondition": {"MaxRuntimeInSeconds": options.get("max_runtime") or _runtime(options)},
    }
    if tags := options.get("tags"):
        request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    check(request, backend)
    return request


@dataclass(frozen=True)
class Target:
    """What to compile for, as the request says it: a device or a platform; `native` is this machine."""

    device: str = ""
    platform: Mapping[str, str] | None = None
    native: bool = False

    @classmethod
    def parse(cls, target: str | None, platform: str | Mapping[str, str] | None, backend: str) -> Target:
        """The target of `--target` or `--platform`.

        Raises:
            TargetError: an unknown name, with the nearest one; or "local" on a backend that is elsewhere.
        """
        if target is None:
            return cls(platform=platform_named(platform))
        if target == LOCAL:
            if backend == SAGEMAKER:
                raise TargetError(
                    "Target local is this machine, and SageMaker compiles for devices.",
                    hint="Name a device, such as --target ml_c5.",
                )
            return cls(platform=this_machine(), native=True)
        return cls(device=device_named(target))

    def output(self, options: CompileOptions) -> dict[str, Any]:
        """The OutputConfig's members for this target and `options`."""
        chosen = _compiler_options(options)
        if self.native:
            chosen.setdefault("mcpu", "native")
        members: dict[str, Any] = (
            {"TargetDevice": self.device} if self.device else {"TargetPlatform": dict(self.platform or {})}
        )
        if chosen:
            members["CompilerOptions"] = json.dumps(chosen)
        return members


def job_name(model: Any, target: str | Mapping[str, str]) -> str:
    """A legal, unique and readable name: `mynet-ml-c5-20261123-101530-ab12` (at most 63 characters)."""
    what = model if isinstance(model, str) else getattr(model, "name", "") or type(model).__name__
    stem = str(what).replace("\\", "/").rsplit("/", 1)[-1].split(".")[0] or "model"
    place = "-".join(target.values()) if isinstance(target, Mapping) else target
    tail = f"{place}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    tail = _legal(tail)
    return f"{_legal(stem)[: NAME_LIMIT - len(tail) - 1].strip('-') or 'model'}-{tail}"


def _legal(text: str) -> str:
    """Letters with marks lose them: Größe becomes grosse."""
    letters = "".join(letter for letter in normalize("NFKD", text.casefold()) if not combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def _compiler_options(options: CompileOptions) -> dict[str, Any]:
    plain = {
        **dtype_option(options.get("dtype")),
        "mcpu": options.get("mcpu"),
        "mattr": options.get("mattr"),
        "tolerance": options.get("tolerance"),
        "trust-pickle": True if options.get("trust_pickle") else None,
        "tune": options.get("tune") or None,
        "no-cache": True if options.get("cache") is False else None,
    }
    return {key: value for key, value in plain.items() if value is not None}


def _runtime(options: CompileOptions) -> int:
    """What the SageMaker SDKs give, and the seconds that the user gave to tuning."""
    return MAX_RUNTIME_SECONDS + math.ceil(options.get("tune") or 0)


def dtype_option(name: str | None) -> dict[str, str | None]:
    """What users call the dtype is Neo's `dtype` of the inputs, or our `precision` of the arithmetic."""
    from neo_magics.api.compiler_options import PRECISIONS

    return {"precision": name} if name in PRECISIONS and name != "float32" else {"dtype": name}


def _role(backend: Backend, options: CompileOptions) -> str:
    role = options.get("role")
    if (
        not role
        and backend.name == SAGEMAKER
        and backend.settings.role_arn.startswith("arn:aws:iam::000000000000:")
    ):
        raise UsageError(
            "SageMaker needs a role to read the model and write the artifact.",
            hint="Say --role arn:aws:iam::ACCOUNT:role/NAME, or set NEO_MAGICS_ROLE_ARN.",
        )
    return role or backend.settings.role_arn
