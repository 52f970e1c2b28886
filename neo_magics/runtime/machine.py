"""Whether this machine can run an artifact: said before native code is loaded, in place of a crash."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neo_magics.errors import ArtifactError

# Neo's word for an architecture → what Python calls it.
_MACHINES = {
    "X86_64": ("x86_64", "amd64"),
    "X86": ("i386", "i486", "i586", "i686"),
    "ARM64": ("aarch64", "arm64"),
    "ARM_EABIHF": ("armv6l", "armv7l", "armv8l"),
    "ARM_EABI": ("armv6l", "armv7l", "armv8l"),
}
_SYSTEMS = {"LINUX": "linux", "ANDROID": "android"}

# x86-64 in levels, as the psABI defines them, in the kernel's names of the flags.
_V2 = ("cx16", "lahf_lm", "popcnt", "ssse3", "sse4_1", "sse4_2")
_V3 = (*_V2, "abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe")
_V4 = (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
_ICELAKE = ("avx512_vnni", "avx512ifma", "avx512vbmi", "avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq")

_ARM_V82 = ("asimd", "asimddp", "asimdhp", "atomics")

# LLVM's CPU name → flags that its code may use. CPUs that are not here are not checked.
_CPU_FLAGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("x86-64-v2", "nehalem", "westmere"), _V2),
    **dict.fromkeys(("sandybridge", "ivybridge"), (*_V2, "avx")),
    **dict.fromkeys(("x86-64-v3", "haswell", "broadwell", "skylake", "znver1", "znver2", "znver3"), _V3),
    **dict.fromkeys(("core-avx2", "alderlake", "raptorlake"), _V3),
    **dict.fromkeys(("x86-64-v4", "skylake-avx512", "skx"), _V4),
    "cascadelake": (*_V4, "avx512_vnni"),
    "cooperlake": (*_V4, "avx512_vnni", "avx512_bf16"),
    **dict.fromkeys(("icelake-client", "icelake-server", "rocketlake", "tigerlake"), (*_V4, *_ICELAKE)),
    **dict.fromkeys(("sapphirerapids", "emeraldrapids"), (*_V4, *_ICELAKE, "avx512_bf16", "avx512_fp16")),
    "znver4": (*_V4, *_ICELAKE, "avx512_bf16"),
    "graniterapids": (*_V4, *_ICELAKE, "avx512_bf16", "avx512_fp16"),
    "znver5": (*_V4, *_ICELAKE, "avx512_bf16", "avx_vnni"),
    **dict.fromkeys(("cortex-a35", "cortex-a53", "cortex-a57", "cortex-a72", "cortex-a73"), ("asimd",)),
    **dict.fromkeys(("cortex-a55", "cortex-a75", "cortex-a76", "neoverse-n1"), _ARM_V82),
    **dict.fromkeys(("neoverse-v1",), (*_ARM_V82, "sve", "i8mm", "bf16")),
    **dict.fromkeys(("neoverse-n2", "neoverse-v2"), (*_ARM_V82, "sve", "sve2", "i8mm", "bf16")),
}

# LLVM's feature names, where the kernel's differ by more than "." and "-".
_FEATURE_FLAGS = {
    "avx512vnni": "avx512_vnni",
    "avx512bf16": "avx512_bf16",
    "avx512fp16": "avx512_fp16",
    "avx512vbmi2": "avx512_vbmi2",
    "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq",
    "avxvnni": "avx_vnni",
    "bmi": "bmi1",
    "lzcnt": "abm",
    "neon": "asimd",
    "dotprod": "asimddp",
    "fullfp16": "asimdhp",
}
# What runs on nearly every CPU of the kind, by whether that is Arm.
_OLDEST_CPU = {False: "x86-64-v2", True: "generic"}
# Features worth refusing for; others (scheduling hints, system registers) do not make code crash.
_CHECKED_FEATURES = {*_V4, *_ICELAKE, *_ARM_V82, *_FEATURE_FLAGS.values(), "sve", "sve2", "i8mm", "bf16"}


def check_machine(target: Mapping[str, Any], flags: frozenset[str] | None = None) -> None:
    """Raise `ArtifactError` where code for `target` (of a manifest) cannot run here.

    `flags` are this CPU's, as the kernel names them; None reads them. What cannot be found out passes.
    """
    _check_platform(str(target.get("os", "")), str(target.get("arch", "")))
    have = cpu_flags() if flags is None else flags
    missing = sorted(set(required_flags(target)) - have) if have else []
    if missing:
        raise ArtifactError(
            f"This artifact was compiled for the CPU {target.get('mcpu') or target.get('device')!r} and uses "
            f"{', '.join(missing)}, which this machine's CPU ({cpu_model()}) does not have.",
            hint='Compile it again with target "local" on this machine, or for an older CPU: '
            f'CompilerOptions {{"mcpu": "{_OLDEST_CPU[_is_arm()]}"}}.',
            missing=missing,
        )


def required_flags(target: Mapping[str, Any]) -> list[str]:
    """The CPU flags, in the kernel's names, that code for `target` may use, as far as they are known."""
    wanted = set(_CPU_FLAGS.get(str(target.get("mcpu", "")), ()))
    for word in _words(target.get("mattr", ())):
        flag = _flag(word.lstrip("+-"))
        if word.startswith("-"):
            wanted.discard(flag)
        elif flag in _CHECKED_FEATURES:
            wanted.add(flag)
    if str(target.get("arch", "")).startswith("ARM_"):
        wanted = {"neon" if flag == "asimd" else flag for flag in wanted}
    return sorted(wanted)


def cpu_flags() -> frozenset[str]:
    """This CPU's flags as the kernel names them; empty where it does not say.

    An emulator of another processor shows the flags of the one below it, under that one's word: those are
    not this CPU's.
    """
    word = "Features" if _is_arm() else "flags"
    for line in _cpuinfo():
        name, _, value = line.partition(":")
        if name.strip() == word:
            return frozenset(value.split())
    return frozenset()


def cpu_model() -> str:
    """The CPU's name as its maker writes it, else the architecture."""
    for line in _cpuinfo():
        name, _, value = line.partition(":")
        if name.strip() in ("model name", "Model") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def _check_platform(system: str, arch: str) -> None:
    here = platform.machine()
    if arch in _MACHINES and here.lower() not in _MACHINES[arch]:
        raise ArtifactError(
            f"This artifact was compiled for {arch}, and this machine is {here}.",
            hint='Run it on its device, or compile again with target "local".',
        )
    if system in _SYSTEMS and not sys.platform.startswith(_SYSTEMS[system]):
        raise ArtifactError(
            f"This artifact was compiled for {system}, and this machine runs {sys.platform}.",
            hint="Run it on its device, or compile again for this system.",
        )


def _is_arm() -> bool:
    return platform.machine().lower().startswith(("aarch64", "arm"))


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(word) for word in value] if isinstance(value, Iterable) else []


def _flag(feature: str) -> str:
    return _FEATURE_FLAGS.get(feature, feature.replace(".", "_").replace("-", "_"))


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
