"""Operators one by one on a single core, against the peak of multiply-adds that the core reaches.

    python -m tests.benchmarks.operators ['conv*'] [--seconds 0.3] [--strict]

GFLOPS count the operator's own multiply-adds, so Winograd's convolutions, which do fewer, can pass 100 %;
`--strict` compiles without them. Weights and data stay in the caches between the runs.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler.build import build_library
from neo_magics.compiler.pipeline import Lowered, optimize
from neo_magics.compiler.ruler import with_ruler
from neo_magics.compiler.targets import CpuTarget, resolve_target
from neo_magics.runtime.profiler import Watch
from neo_magics.runtime.ruler import measure_peaks
from neo_magics.runtime.threads import process_pools
from neo_magics.runtime.worker import time_calls


@dataclass(frozen=True)
class Operator:
    """A convolution of N C H W data, or with `window` None a product of M × K data, with constant weights."""

    data: tuple[int, ...]
    out: int
    window: tuple[int, int] | None = None
    stride: int = 1
    groups: int = 1

    @property
    def name(self) -> str:
        """As a person would say it."""
        if self.window is None:
            return f"matmul {self.data[0]} x {self.data[1]} x {self.out}"
        kind = "depthwise" if self.groups == self.out else "conv"
        batch, channels, height, width = self.data
        window = "x".join(map(str, self.window))
        strided = f" / {self.stride}" if self.stride > 1 else ""
        return f"{kind} {window}{strided} {batch} x {channels} x {height} x {width} -> {self.out}"

    @property
    def weight(self) -> tuple[int, ...]:
        """The weights' shape."""
        if self.window is None:
            return self.data[1], self.out
        return self.out, self.data[1] // self.groups, *self.window

    def call(self, data: relax.Var, weight: Any) -> relax.Expr:
        """The operator; windows are padded so that stride 1 keeps the size."""
        if self.window is None:
            return relax.op.matmul(data, weight)
        padding = [size // 2 for size in self.window]
        return relax.op.nn.conv2d(data, weight, strides=self.stride, padding=padding, groups=self.groups)

    def flops(self, result: Sequence[int]) -> float:
        """Two for each product."""
        each = self.weight[0] if self.window is None else math.prod(self.weight[1:])
        return 2.0 * math.prod(result) * each


def operators() -> Iterator[Operator]:
    """Those of usual networks, and some of odd sizes."""
    yield Operator((1, 3, 224, 224), 64, (7, 7), 2)
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        yield Operator((1, channels, size, size), channels, (3, 3))
        yield Operator((1, channels, size, size), 4 * channels, (1, 1))
        yield Operator((1, 4 * channels, size, size), channels, (1, 1))
    yield Operator((1, 128, 56, 56), 128, (3, 3), 2)
    yield Operator((1, 192, 17, 17), 192, (1, 7))
    yield Operator((1, 48, 35, 35), 64, (5, 5))
    yield Operator((8, 256, 14, 14), 256, (3, 3))
    yield Operator((1, 50, 57, 57), 70, (3, 3))
    yield Operator((1, 100, 29, 29), 130, (1, 1))
    yield Operator((1, 2048, 8, 8), 448, (1, 1))
    yield Operator((1, 96, 56, 56), 96, (3, 3), groups=96)
    yield Operator((1, 128, 28, 28), 128, (3, 3), groups=4)
    for rows, inner, out in (
        (128, 768, 768),
        (128, 768, 3072),
        (128, 3072, 768),
        (77, 384, 1536),
        (8, 768, 768),
    ):
        yield Operator((rows, inner), out)


def main(words: Sequence[str] | None = None) -> int:
    """Print a line for each operator."""
    args = _parser().parse_args(words)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    process_pools().use(1)
    platform = {"TargetPlatform": {"Os": "LINUX", "Arch": os.uname().machine.upper()}}
    target = resolve_target(devices.resolve(platform), CompilerOptions(mcpu="native", strict=args.strict))
    peak = 0.0
    for operator in operators():
        if not any(fnmatch(operator.name, pattern) for pattern in args.names or ["*"]):
            continue
        seconds, peak, flops = measure(operator, target, args.seconds, peak)
        speed = flops / seconds
        print(f"{operator.name:44s} {1e6 * seconds:9.1f} µs {speed / 1e9:7.1f} GFLOPS {speed / peak:5.0%}")
    print(f"measured peak of a core: {peak / 1e9:.1f} GFLOPS")
    return 0


def measure(operator: Operator, target: CpuTarget, seconds: float, peak: float) -> tuple[float, float, float]:
    """Seconds of the operator's kernel, the peak (the highest so far), and the operator's operations."""
    lowered = optimize(_module(operator), target, lambda _event: None)
    with tempfile.TemporaryDirectory() as folder:
        library = build_library(with_ruler(lowered.module, target.machine), target, Path(folder))
        loaded = tvm.runtime.load_module(str(Path(folder) / library))
        took, result = _time(operator, lowered, loaded, seconds)
        found = peak or measure_peaks(loaded, target.machine.lanes, 1).flops_one
        return took, found, operator.flops(result)


def _module(operator: Operator) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    data = relax.Var("data", relax.TensorType(operator.data, "float32"))
    weight = np.random.default_rng(0).standard_normal(operator.weight, "float32")
    with builder.function("main", [data]):
        with builder.dataflow():
            output = builder.emit_output(operator.call(data, relax.const(weight)))
        builder.emit_func_output(output)
    return builder.get()


def _time(operator: Operator, lowered: Lowered, loaded: Any, seconds: float) -> tuple[float, Sequence[int]]:
    """Median seconds of the kernel that does the work, not of those that bring data to its layout."""
    machine = relax.VirtualMachine(loaded, tvm.cpu())
    data = tvm.runtime.tensor(np.random.default_rng(1).standard_normal(operator.data, "float32"))
    watch = Watch()

    def call() -> Any:
        return machine["main"](data, lowered.weights)

    shape = call().shape
    machine.set_instrument(watch)
    time_calls(lambda: watch.run(call), seconds, 20, 2000)
    work = {kernel.name: kernel.flops.at({}) for kernel in lowered.kernels.kernels}
    summary = watch.summary()
    kernels = zip(summary["kernels"], summary["seconds"], strict=True)
    _work, took = max((work.get(name, 0), took) for name, took in kernels)
    return took, shape


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.operators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", help="patterns; default: all")
    parser.add_argument("--seconds", type=float, default=0.3, help="of timing for each, default 0.3")
    parser.add_argument("--strict", action="store_true", help="plain sums of products only")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
