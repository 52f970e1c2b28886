"""The whole compilation, from an unpacked model archive to a folder that the runtime loads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tvm

from neo_magics.api.events import Event, LogLine, ProgressEvent
from neo_magics.artifact.kernels import Kernel, KernelTable
from neo_magics.artifact.manifest import Manifest
from neo_magics.compiler import fingerprint
from neo_magics.compiler.build import build_library, write_params
from neo_magics.compiler.calibrate import Arrays, calibrate
from neo_magics.compiler.costs import Costs
from neo_magics.compiler.frontends.sources import take_sources
from neo_magics.compiler.instruments import Dumps, Timings
from neo_magics.compiler.origins import Origins, plain
from neo_magics.compiler.passes.lift_constants import WEIGHTS
from neo_magics.compiler.passes.narrow_operand import Range
from neo_magics.compiler.passes.schedule_kernels import KernelReport
from neo_magics.compiler.phases import graph_passes, kernel_passes, pack, passes, simplify
from neo_magics.compiler.precision import describe_precision, precision_text
from neo_magics.compiler.ruler import with_ruler
from neo_magics.compiler.stages import Stages, compiler_errors
from neo_magics.compiler.targets import CpuTarget, resolve_target
from neo_magics.compiler.tuning import Choose, Tuning

if TYPE_CHECKING:
    from neo_magics.api.compiler_options import CompilerOptions
    from neo_magics.api.devices import Device
    from neo_magics.artifact.manifest import TensorSpec

Emit = Callable[[Event], None]
PROGRESS_EVERY = 0.2  # seconds between progress events
SLOWEST = 5  # passes named in the log


@dataclass(frozen=True)
class CompileRequest:
    """What to compile, for what, and where the result goes; `tuning` is what is known of kernels' timings.

    `folder` is the unpacked model archive, `out` an existing empty folder. `source_digest` is the archive's,
    "" where it is not known. `dump` is a folder for the module after each pass.
    `calibration` gives, for int8, the inputs of some calls.
    """

    folder: Path
    framework: str
    input_config: Any
    device: Device
    options: CompilerOptions
    out: Path
    name: str = "model"
    source_digest: str = ""
    dump: Path | None = None
    tuning: Tuning | None = None
    calibration: Callable[[Sequence[TensorSpec]], Sequence[Arrays]] = lambda _specs: ()


def compile_model(request: CompileRequest, emit: Emit) -> Manifest:
    """Import, optimise and build; writes library, weights and manifest into `request.out`.

    Emits StageEvents for "import", "optimize" and "build", and ProgressEvents for kernels. Raises
    `InputError`, `CompilationError` or `TargetError`, with a next step.
    """
    from neo_magics.compiler.frontends import import_model

    stages = Stages(emit)
    target = resolve_target(request.device, request.options)
    with stages.run("import", f"{request.framework} for {target.tvm.attrs.get('mcpu', 'generic')}"):
        imported = import_model(request.folder, request.framework, request.input_config, request.options)
    ranges: Sequence[Range] | None = None
    if target.precision == "int8":
        with stages.run("calibrate"):
            ranges = measure_ranges(imported.module, target, request.calibration(imported.inputs), emit)
    choose = _tuned(request.tuning, imported.module, target, stages)
    with stages.run("optimize"):
        lowered = optimize(imported.module, target, emit, dump=request.dump, choose=choose, ranges=ranges)
    if request.tuning is not None:
        request.tuning.conclude(choose)
    with stages.run("build"):
        params = write_params([tensor.numpy() for tensor in lowered.weights], request.out)
        library = build_library(with_ruler(lowered.module, target.machine), target, request.out)
        lowered.kernels.write(request.out)
    precision = describe_precision(target.precision, lowered.kernels)
    if precision:
        emit(LogLine(f"build: {precision_text(precision)}."))
    manifest = Manifest(
        name=request.name,
        framework=request.framework,
        framework_version=imported.framework_version,
        inputs=imported.inputs,
        outputs=imported.outputs,
        params=params,
        target=_describe_target(request.device, target),
        source_digest=request.source_digest,
        options=dict(request.options.raw),
        versions=fingerprint.toolchain_versions(),
        library=library,
        stages=stages.seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        classes=imported.classes,
        precision=precision,
    )
    return manifest.write(request.out)


def _tuned(tuning: Tuning | None, module: tvm.IRModule, target: CpuTarget, stages: Stages) -> Choose:
    """The choice between candidates, after a stage that times them where the job asks for it."""
    if tuning is None:
        return Choose()
    if tuning.measures:
        with stages.run("tune", f"at most {tuning.seconds:g} s"):
            tuning.spend(lambda choose: discover(module, target, choose), target)
    return tuning.choose()


def discover(module: tvm.IRModule, target: CpuTarget, choose: Choose) -> None:
    """Ask `choose` everything that a compilation of the imported module would ask."""
    module, _named = take_sources(module)
    with compiler_errors("tune"), target.tvm, tvm.transform.PassContext(opt_level=3):
        tvm.transform.Sequential(graph_passes(target, choose))(module)


@dataclass(frozen=True)
class Lowered:
    """A module that is ready to build, the weights that its `main` takes as a tuple, and its kernels."""

    module: tvm.IRModule
    weights: list[Any]
    kernels: KernelTable


def measure_ranges(
    module: tvm.IRModule, target: CpuTarget, samples: Sequence[Arrays], emit: Emit
) -> Sequence[Range]:
    """What `calibrate` finds for `optimize`, by the same pipeline in float32."""
    module, _sources = take_sources(module)
    choose = Choose()

    def compiled(observer: tvm.IRModule) -> tuple[tvm.IRModule, list[Any]]:
        steps = [*pack(target, choose), *kernel_passes(target, lambda _report: None)]
        lowered = tvm.transform.Sequential(steps)(observer)
        return lowered, list(lowered.attrs[WEIGHTS])

    with compiler_errors("calibrate"), target.tvm, tvm.transform.PassContext(opt_level=3):
        simplified = tvm.transform.Sequential(simplify(target))(module)
        return calibrate(simplified, target, samples, compiled, emit)


def optimize(
    module: tvm.IRModule,
    target: CpuTarget,
    emit: Emit,
    *,
    dump: Path | None = None,
    choose: Choose | None = None,
    ranges: Sequence[Range] | None = None,
) -> Lowered:
    """Run the pipeline over an imported module. Raises `CompilationError` where a pass fails.

    `choose` decides where kernels have several candidates; without it, the model of registers and caches.
    """
    module, named = take_sources(module)
    timings, origins, costs, kernels = Timings(), Origins(named), Costs(), _Kernels(emit)
    instruments = [timings, origins, costs, *([Dumps(dump)] if dump else [])]
    with (
        compiler_errors("optimize"),
        target.tvm,
        tvm.transform.PassContext(opt_level=3, instruments=instruments),
    ):
        lowered = tvm.transform.Sequential(passes(target, kernels, choose or Choose(), ranges))(module)
    emit(LogLine("optimize: " + ", ".join(f"{name} {t:.2f} s" for name, t in timings.slowest(SLOWEST))))
    table = _kernel_table(origins, costs, kernels, target)
    return Lowered(lowered, list(lowered.attrs[WEIGHTS]), table)


def _kernel_table(origins: Origins, costs: Costs, kernels: _Kernels, target: CpuTarget) -> KernelTable:
    """What the instruments saw of the kernels that the result calls."""
    called = {call.kernel for call in origins.calls}
    found = [
        Kernel(
            name=name,
            rule=kernels.rules.get(name, ""),
            operators=origins.operators.get(name) or (plain(name),),
            flops=cost.flops,
            bytes_read=cost.bytes_read,
            bytes_written=cost.bytes_written,
            arguments=cost.arguments,
        )
        for name, cost in costs.costs.items()
        if name in called
    ]
    return KernelTable(tuple(found), tuple(origins.calls), target.machine.lanes)


def _describe_target(device: Device, target: CpuTarget) -> dict[str, Any]:
    return {
        "device": device.name,
        "os": device.os,
        "arch": device.arch,
        "triple": target.triple,
        "mcpu": target.mcpu,
        "mattr": list(target.mattr),
        "tvm": str(target.tvm),
    }


class _Kernels:
    """Turns the reports of scheduled kernels into progress, and refusals into log lines; keeps the rules."""

    def __init__(self, emit: Emit) -> None:
        self.emit = emit
        self.told = 0.0
        self.rules: dict[str, str] = {}

    def __call__(self, report: KernelReport) -> None:
        self.rules[report.kernel] = report.rule
        for refusal in report.refusals:
            self.emit(LogLine(f"optimize: {report.kernel}: rule {refusal}"))
        if not report.rule:
            self.emit(LogLine(f"optimize: {report.kernel}: no rule matches, its loops stay as they are"))
        now = time.monotonic()
        if report.done == report.total or now - self.told >= PROGRESS_EVERY:
            self.told = now
            self.emit(ProgressEvent("optimize", report.done, report.total, "kernels"))
