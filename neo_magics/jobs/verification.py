"""The verify stage: the compiled model, in a process of its own, against the source model in this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from neo_magics.api.events import LogLine
from neo_magics.capture.archive import read_example_inputs
from neo_magics.errors import ArtifactError, InputError, NeoMagicsError
from neo_magics.jobs.calibration import calibration_calls

if TYPE_CHECKING:
    from neo_magics.artifact.manifest import Manifest, TensorSpec
    from neo_magics.jobs.compile_context import CompileContext

    Arrays = Mapping[str, np.ndarray[Any, Any]]

SEED = 20_24
CALIBRATION_CALLS = 16  # that are verified too
_FREE_BATCH = 2  # not 1: a batch that was fixed by mistake shows
_FREE_OTHER = 32


def verify_artifact(context: CompileContext) -> None:
    """Run both models on the captured or generated inputs; the figures go into the manifest.

    An artifact for another kind of machine cannot run here: its manifest has no verification, and the log and
    the report say why. Raises VerificationError with the figures, InputError where the source model fails.
    """
    assert context.manifest is not None  # the compile stage comes first
    reason = _cannot_run_here(context.manifest)
    if reason:
        context.not_verified = reason
        context.emit(LogLine(f"Not verified: {reason}"))
        return
    inputs, kind = _inputs(context)
    more = list(islice(calibration_calls(context.source, context.manifest.inputs), CALIBRATION_CALLS))
    (reference, *others), versions, rounding, own = _references(context, [inputs, *more])
    for line in not_numbers(reference):
        context.emit(LogLine(line))
    from neo_magics.runtime.verify import verify

    options = context.options
    kind += f" and {len(more)} calibration" if more else ""
    found = verify(
        context.out,
        inputs,
        reference,
        tolerance=options.tolerance,
        precision=options.precision if options.precision != "float32" else own,
        rounding=rounding,
        threads=options.threads,
        more=list(zip(more, others, strict=True)),
    )
    said = found.for_manifest(tolerance=options.tolerance, inputs=kind, reference=versions)
    if rounding:
        said["rounding"] = rounding
    if own:
        said["precision"] = own
    context.manifest = replace(context.manifest, verification=said)
    context.emit(LogLine(f"{found.sentence(versions)}, on {kind} inputs."))


def example_inputs(specs: Sequence[TensorSpec], *, seed: int = SEED) -> dict[str, np.ndarray[Any, Any]]:
    """Inputs for `specs` by name, always the same: normal numbers; whole ones 0 or 1, safe as indices."""
    generator = np.random.default_rng(seed)
    sizes: dict[str, int] = {}
    return {spec.name: _example(spec, sizes, generator) for spec in specs}


def fits(inputs: Arrays, specs: Sequence[TensorSpec]) -> bool:
    """Whether `inputs` have the names, dtypes and shapes of `specs`; a free dimension is the same in all."""
    sizes: dict[str, int] = {}
    if set(inputs) != {spec.name for spec in specs}:
        return False
    return all(
        str(inputs[spec.name].dtype) == spec.dtype
        and inputs[spec.name].ndim == len(spec.shape)
        and all(
            got == (sizes.setdefault(size, got) if isinstance(size, str) else size)
            for got, size in zip(inputs[spec.name].shape, spec.shape, strict=True)
        )
        for spec in specs
    )


def not_numbers(outputs: Arrays) -> list[str]:
    """A sentence for each output of the source model that holds NaN: there the two are hardly compared."""
    found = {name: np.isnan(value) for name, value in outputs.items() if value.dtype.kind == "f"}
    return [
        f"Warning: {where.sum():,} of {where.size:,} numbers in the source model's output {name!r} are NaN. "
        "Look for NaN in its weights or in the example inputs."
        for name, where in found.items()
        if where.any()
    ]


def _cannot_run_here(manifest: Manifest) -> str:
    from neo_magics.runtime.machine import check_machine

    try:
        check_machine(manifest.target)
    except ArtifactError as error:
        return error.message
    return ""


def _inputs(context: CompileContext) -> tuple[dict[str, np.ndarray[Any, Any]], str]:
    """The inputs that were captured with the model where they fit what was compiled, else generated ones."""
    assert context.manifest is not None  # the compile stage comes first
    specs = context.manifest.inputs
    given = read_example_inputs(context.source)
    if given and fits(given, specs):
        return given, "given"
    if given:
        context.emit(LogLine("The captured inputs are not of the compiled shapes; others are generated."))
    return example_inputs(specs), "generated"


def _references(
    context: CompileContext, calls: Sequence[Arrays]
) -> tuple[list[dict[str, np.ndarray[Any, Any]]], str, dict[str, float], str]:
    """The source model's outputs of each call, what computed them, as "onnxruntime 1.32.0", rounding, and the
    lowest dtype of its own arithmetic.
    """
    from neo_magics.capture.source import lowest_precision, open_source, rounding

    options = context.options
    source = open_source(
        context.source, context.framework, threads=options.threads, trust_pickle=options.trust_pickle
    )
    try:
        outputs = [source.run(inputs) for inputs in calls]
    except NeoMagicsError:
        raise
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"The source model itself fails on inputs of the compiled shapes: {line[:300]}",
            hint="Correct DataInputConfig, or capture the model with example inputs that it accepts.",
        ) from error
    versions = ", ".join(f"{name} {version}" for name, version in source.versions.items())
    return outputs, versions, rounding(source), lowest_precision(source)


def _example(spec: TensorSpec, sizes: dict[str, int], generator: np.random.Generator) -> np.ndarray[Any, Any]:
    shape = [
        sizes.setdefault(size, _FREE_OTHER if axis else _FREE_BATCH) if isinstance(size, str) else size
        for axis, size in enumerate(spec.shape)
    ]
    dtype = _dtype(spec.dtype)
    if spec.dtype == "bool" or dtype.kind in "iu":
        return generator.integers(0, 2, shape).astype(dtype)
    return np.asarray(generator.standard_normal(shape)).astype(dtype)


def _dtype(name: str) -> Any:
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name, name))
