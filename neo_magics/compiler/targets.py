"""Target device and compiler options → TVM target, checked against LLVM's own lists.

TVM itself only logs an unknown CPU or feature and goes on with a generic one; here both are errors.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tvm
from tvm.target import Target, codegen

from neo_magics.compiler.kernels.dots import PRECISIONS
from neo_magics.compiler.machine import Machine, describe
from neo_magics.errors import TargetError

if TYPE_CHECKING:
    from neo_magics.api.compiler_options import CompilerOptions
    from neo_magics.api.devices import Device

NATIVE = "native"
# What our kernels and LLVM's vectoriser may use; LLVM's names.
_VECTOR_FEATURES = (
    "avx", "f16c", "fma", "avx2", "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512ifma",
    "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg", "avx512vpopcntdq", "avx512bf16", "avx512fp16",
)  # fmt: skip
# Schedules make the vectors. LLVM 22's own loop vectoriser reads `table[k % 8]` of sixteen lanes as sixteen
# numbers in a row (tests/compiler/test_lanes.py), and gained nothing on any model of the benchmark.
_LLVM_OPTIONS = ("-vectorize-loops:bool=0",)


@dataclass(frozen=True)
class CpuTarget:
    """A CPU to compile for: TVM's target, and the facts that passes and schedules ask for.

    `strict`: no arithmetic that rounds otherwise than the source model's plain sums. `precision`: the
    dtype of products with constants, "float32", or one that the machine has an instruction for.
    """

    tvm: Target
    machine: Machine
    triple: str
    mcpu: str
    mattr: tuple[str, ...]
    strict: bool = False
    precision: str = "float32"


def resolve_target(device: Device, options: CompilerOptions) -> CpuTarget:
    """The TVM target of `device`, where `options.mcpu` and `options.mattr` override its own.

    mcpu "native" is the CPU of this machine. Raises `TargetError` for a device that cannot be compiled
    for here, and for a CPU, feature or dtype that is unknown.
    """
    if device.refused:
        raise TargetError(f"{device.name} cannot be compiled for here: {device.refused}")
    _check_dtype(options)
    wanted = options.mcpu or device.mcpu or ""
    mcpu = _native_cpu(device.triple) if wanted == NATIVE else wanted
    mattr = tuple(_words(options.mattr) or _words(device.mattr))
    if wanted == NATIVE:
        mattr = (*masked_features(mcpu, device.triple), *mattr)
    base: dict[str, Any] = {"kind": "llvm", "mtriple": device.triple, "cl-opt": [*_LLVM_OPTIONS]}
    if device.float_abi:
        base["mfloat-abi"] = device.float_abi
    if mcpu:
        _check_cpu(mcpu, device.triple)
        base["mcpu"] = mcpu
    for attribute in mattr:
        _check_feature(attribute, base)
    cores = _cores(options, native=wanted == NATIVE)
    extra = {"mattr": list(mattr)} if mattr else {}
    target = Target({**base, **extra, **({"num-cores": cores} if cores else {})})
    machine = describe(device.triple, codegen.llvm_get_cpu_features(target), cores)
    machine = replace(machine, dots=_instructions(options.precision, machine, device.name))
    return CpuTarget(target, machine, device.triple, mcpu, mattr, options.strict, options.precision)


def _instructions(precision: str, machine: Machine, device: str) -> tuple[str, ...]:
    """What kernels may use of the machine's instructions for narrow numbers: those that were asked for.

    Refuse what the target has no instruction for: it would lose digits there and be no faster.
    """
    if precision == "float32":
        return ()
    if PRECISIONS[precision].name in machine.dots:
        return (PRECISIONS[precision].name,)
    raise TargetError(
        f"{device} has no instructions for {precision} products: it needs {PRECISIONS[precision].needs}.",
        hint="Leave the dtype out to compute in float32, or name a CPU that has them with mcpu.",
    )


def _check_dtype(options: CompilerOptions) -> None:
    if options.dtype in ("float16", "bfloat16"):
        raise TargetError(
            f"Models with {options.dtype} inputs are not compiled yet.",
            hint='Leave "dtype" out, or set it to "float32".',
        )


def _native_cpu(triple: str) -> str:
    here = tvm.target.codegen.llvm_get_system_triple()
    if _arch(here) != _arch(triple):
        raise TargetError(
            f'mcpu "native" is the CPU of this machine ({_arch(here)}), and the target is {_arch(triple)}.',
            hint="Name the target's CPU, or leave mcpu out.",
        )
    return str(codegen.llvm_get_system_cpu())


def _check_cpu(mcpu: str, triple: str) -> None:
    if codegen.llvm_is_valid_cpu(mcpu, triple):
        return
    known = [str(name) for name in codegen.llvm_get_cpu_archlist(Target({"kind": "llvm", "mtriple": triple}))]
    close = difflib.get_close_matches(mcpu, known, n=3)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"Some that are: {', '.join(known[:8])}."
    raise TargetError(f"{mcpu!r} is not a CPU that LLVM knows for {triple}.", hint=hint)


def _check_feature(attribute: str, base: dict[str, Any]) -> None:
    """`attribute` is +name or -name. LLVM ignores unknown ones: see whether switching it on does anything."""
    name = attribute.lstrip("+-")
    probe = Target({**base, "mattr": [f"+{name}"]})
    if attribute[:1] not in "+-" or name not in codegen.llvm_get_cpu_features(probe):
        raise TargetError(
            f"{attribute!r} is not a CPU feature that LLVM knows for {base['mtriple']}.",
            hint="Write features as +name or -name, for example +neon or -avx512f.",
        )


def masked_features(mcpu: str, triple: str, cpuinfo: Path = Path("/proc/cpuinfo")) -> tuple[str, ...]:
    """-name for each vector feature that LLVM expects of `mcpu` and that this machine does not offer.

    LLVM goes by the CPU's model; a hypervisor may hide AVX-512 of it, and code would die of SIGILL.
    """
    if _arch(triple) != "x86_64" or not cpuinfo.exists():
        return ()
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    offered = {flag for line in lines if line.startswith("flags") for flag in line.split(":", 1)[1].split()}
    expected = codegen.llvm_get_cpu_features(Target({"kind": "llvm", "mtriple": triple, "mcpu": mcpu}))
    hidden = [name for name in _VECTOR_FEATURES if name in expected and _linux_name(name) not in offered]
    return tuple(f"-{name}" for name in hidden) if offered else ()


def _linux_name(feature: str) -> str:
    """How Linux writes LLVM's word for a feature: avx512_vnni for avx512vnni."""
    newer = ("vnni", "bf16", "bitalg", "vbmi2", "vpopcntdq", "fp16", "vp2intersect")
    name = feature.removeprefix("avx512")
    return f"avx512_{name}" if feature != name and name in newer else feature


def _cores(options: CompilerOptions, *, native: bool) -> int:
    """How many threads the kernels may count on; 0 where the target is another machine."""
    if options.threads:
        return int(options.threads)
    return len(os.sched_getaffinity(0)) if native and hasattr(os, "sched_getaffinity") else 0


def _words(text: str | Iterable[str] | None) -> list[str]:
    if isinstance(text, str):
        text = text.replace(",", " ").split()
    return [word for word in text or () if word]


def _arch(triple: str) -> str:
    return triple.split("-", 1)[0]
