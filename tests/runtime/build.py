"""Small artifacts made by the real compiler, for models that are written here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.api.compiler_options import parse
from neo_magics.api.devices import resolve
from neo_magics.artifact.manifest import Manifest, TensorSpec
from neo_magics.compiler.build import build_library, write_params
from neo_magics.compiler.pipeline import optimize
from neo_magics.compiler.targets import resolve_target

HERE = {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
Body = Callable[..., Any]


def build(
    folder: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], body: Body, **target: Any
) -> Manifest:
    """The artifact of the function `body`: relax expressions of `inputs` to one, or a list of several."""
    device = resolve(HERE)
    chosen = resolve_target(device, parse(None))
    lowered = optimize(_module(inputs, body), chosen, lambda _event: None)
    params = write_params([tensor.numpy() for tensor in lowered.weights], folder)
    library = build_library(lowered.module, chosen, folder)
    manifest = Manifest(
        name="tested",
        framework="ONNX",
        framework_version="opset 20",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        params=params,
        target={
            "device": device.name,
            "os": device.os,
            "arch": device.arch,
            "triple": chosen.triple,
            "mcpu": chosen.mcpu,
            "mattr": [],
            "tvm": str(chosen.tvm),
            **target,
        },
        source_digest="",
        options={},
        versions={"apache-tvm": tvm.__version__},
        library=library,
        created="2026-01-01T00:00:00+00:00",
    )
    return manifest.write(folder)


def _module(inputs: Sequence[TensorSpec], body: Body) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    sizes: dict[str, Any] = {}
    variables = [relax.Var(spec.name, _type(spec, sizes)) for spec in inputs]
    with builder.function("main", variables):
        with builder.dataflow():
            made = body(builder, *variables)
            result = builder.emit(relax.Tuple(made)) if isinstance(made, list) else made
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    return builder.get()


def _type(spec: TensorSpec, sizes: dict[str, Any]) -> Any:
    shape = [
        sizes.setdefault(size, tvm.tirx.Var(size, "int64")) if isinstance(size, str) else size
        for size in spec.shape
    ]
    return relax.TensorType(shape, spec.dtype)


def constant(seed: int, *shape: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    """A fixed weight."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
