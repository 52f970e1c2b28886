"""Relax modules for the tests, compiled by the whole pipeline, and run by the runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
import tvm
from tvm import relax

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.api.events import Event
from neo_magics.artifact.kernels import DIRECT, DIRECT_WORKSPACE
from neo_magics.compiler.build import build_library
from neo_magics.compiler.pipeline import optimize
from neo_magics.compiler.targets import CpuTarget, resolve_target

Array = np.ndarray[Any, Any]
# CPUs with 4 and 8 lanes, which wait for `-m slow`, and whatever this machine has.
WIDTHS = [*(pytest.param(mcpu, marks=pytest.mark.slow) for mcpu in ("x86-64", "x86-64-v3")), "native"]


def x86_target(mcpu: str = "native", **options: Any) -> CpuTarget:
    """A target of this machine's architecture; skips where its instructions are missing here."""
    flags = Path("/proc/cpuinfo").read_text()
    if mcpu == "x86-64-v3" and not ("avx2" in flags and "fma" in flags):
        pytest.skip("this CPU has no AVX2")
    platform = {"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}}
    return resolve_target(devices.resolve(platform), CompilerOptions(mcpu=mcpu, **options))


def module(build: Callable[..., Sequence[Any]], *inputs: tuple[tuple[Any, ...], str]) -> tvm.IRModule:
    """`main(inputs…)` whose results are the operators that `build` returns."""
    builder = relax.BlockBuilder()
    variables = [
        relax.Var(f"x{n}", relax.TensorType(shape, dtype)) for n, (shape, dtype) in enumerate(inputs)
    ]
    with builder.function("main", variables):
        with builder.dataflow():
            results = [builder.emit(result) for result in build(*variables)]
            output = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(output)
    return builder.get()


def run(
    source: tvm.IRModule,
    arrays: Sequence[Array],
    target: CpuTarget,
    events: list[Event] | None = None,
    **options: Any,
) -> list[Array]:
    """The outputs of the compiled module; `options` are those of `optimize`."""
    lowered = optimize(source, target, (events if events is not None else []).append, **options)
    with tempfile.TemporaryDirectory() as folder:
        library = build_library(lowered.module, target, Path(folder))
        executable = tvm.runtime.load_module(str(Path(folder) / library))
        machine = relax.VirtualMachine(executable, tvm.cpu())
        outputs = machine["main"](*map(tvm.runtime.tensor, arrays), list(lowered.weights))
        return [output.numpy() for output in outputs]


class Case(Protocol):
    """One operator on `data`, in Relax and in PyTorch."""

    data: tuple[int, ...]

    def relax(self, x: Any) -> Any: ...

    def torch(self, x: Array) -> Array: ...


def agrees(cases: Sequence[Case], mcpu: str, choose: Any = None) -> None:
    """Compile the `Case`s as one module: no rule refuses, and the numbers are PyTorch's."""
    source = module(
        lambda *xs: [case.relax(x) for case, x in zip(cases, xs, strict=True)],
        *((case.data, "float32") for case in cases),
    )
    arrays = [random(case.data) for case in cases]
    events: list[Event] = []
    results = run(source, arrays, x86_target(mcpu), events, choose=choose)
    assert not [event for event in events if ": rule " in event.sentence()]  # a slower rule stepped in
    for case, array, got in zip(cases, arrays, results, strict=True):
        np.testing.assert_allclose(got, case.torch(array), atol=1e-5, rtol=1e-5, err_msg=str(case))


def kernels(source: tvm.IRModule, target: CpuTarget) -> tuple[tvm.IRModule, list[str]]:
    """The lowered module without its direct entry, and the log lines about kernels that a rule refused."""
    events: list[Event] = []
    lowered = optimize(source, target, events.append).module
    for name in {DIRECT, DIRECT_WORKSPACE} & {var.name_hint for var in lowered.get_global_vars()}:
        del lowered[name]
    return lowered, [event.sentence() for event in events if "rule" in event.sentence()]


def constant(shape: tuple[int, ...], seed: int = 0) -> Any:
    """A float32 weight of moderate size."""
    return relax.const(random(shape, seed) / max(1.0, float(np.prod(shape[1:])) ** 0.5), "float32")


def random(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")
