"""What can be compiled for: every TargetDevice and every TargetPlatform, or the reason why not.

Operating systems, architectures and accelerators are those of Neo's "Supported Devices, Chip
Architectures, and Systems"; CPU names are LLVM's, chosen as the oldest CPU that the device or instance
family comes with (m4 and c4 are sold with Haswell, m5 and c5 with Skylake-SP). A device whose Neo
artifact runs on an accelerator is refused rather than silently compiled for its CPU; the reason names the
TargetPlatform that compiles for that CPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from neo_magics.errors import ApiError

SAGEMAKER = "use --backend sagemaker"


@dataclass(frozen=True)
class Device:
    """A target. `refused` is "" where it can be compiled for, else the reason and the next step.

    `os` and `arch` in Neo's words (LINUX; X86_64, ARM64, ARM_EABIHF, …), `accelerator` as Neo names it or
    "", `triple`, `mcpu` and `mattr` LLVM's, `float_abi` "hard", "soft" or "" where the triple decides.
    """

    name: str
    os: str
    arch: str
    accelerator: str = ""
    triple: str = ""
    mcpu: str = ""
    mattr: tuple[str, ...] = ()
    float_abi: str = ""
    refused: str = ""

    @property
    def compilable(self) -> bool:
        return not self.refused


@dataclass(frozen=True)
class _Cpu:
    triple: str
    mattr: tuple[str, ...] = ()
    float_abi: str = ""
    generic: str = "generic"


# A 32-bit Arm with hard or soft float calling convention still has its vector unit: LLVM's armv7
# triples imply NEON, and it is said here so that the manifest says it too (-neon in mattr removes it).
_LINUX_CPUS: Mapping[str, _Cpu] = {
    "X86_64": _Cpu("x86_64-linux-gnu", generic="x86-64"),
    "ARM64": _Cpu("aarch64-linux-gnu"),
    "ARM_EABIHF": _Cpu("armv7l-linux-gnueabihf", ("+neon",), "hard"),
    "ARM_EABI": _Cpu("armv7l-linux-gnueabi", ("+neon",), "soft"),
}

# What Neo itself offers: (os, accelerator or "") → architectures.
NEO_PLATFORMS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("LINUX", ""): ("X86_64", "ARM64", "ARM_EABIHF", "ARM_EABI"),
        ("LINUX", "NVIDIA"): ("X86_64", "ARM64"),
        ("LINUX", "INTEL_GRAPHICS"): ("X86_64",),
        ("LINUX", "MALI"): ("ARM64", "ARM_EABIHF", "ARM_EABI"),
        ("ANDROID", ""): ("X86_64", "X86", "ARM64", "ARM_EABI"),
        ("ANDROID", "INTEL_GRAPHICS"): ("X86_64", "X86"),
        ("ANDROID", "MALI"): ("ARM64", "ARM_EABI"),
    }
)

_ACCELERATOR_REASONS = {
    "NVIDIA": "needs CUDA and TensorRT, which the local compiler has not",
    "MALI": "needs an OpenCL runtime for the Mali GPU, which the local compiler has not",
    "INTEL_GRAPHICS": "needs an OpenCL runtime for Intel graphics, which the local compiler has not",
    "NNA": "needs the vendor's neural network compiler",
}


def _cpu(name: str, arch: str, mcpu: str = "", mattr: tuple[str, ...] | None = None) -> Device:
    cpu = _LINUX_CPUS[arch]
    flags = cpu.mattr if mattr is None else mattr
    return Device(name, "LINUX", arch, "", cpu.triple, mcpu or cpu.generic, flags, cpu.float_abi)


def _instead(arch: str, mcpu: str) -> str:
    return (
        f'use TargetPlatform {{"Os": "LINUX", "Arch": "{arch}"}} with CompilerOptions '
        f'{{"mcpu": "{mcpu}"}} for its CPU, or {SAGEMAKER}'
    )


def _refused(name: str, place: tuple[str, str, str], reason: str, step: str = SAGEMAKER) -> Device:
    os, arch, accelerator = place
    return Device(name, os, arch, accelerator, refused=f"{name} {reason}; {step}")


def _accelerated(name: str, arch: str, accelerator: str, mcpu: str) -> Device:
    reason = _ACCELERATOR_REASONS[accelerator]
    return _refused(name, ("LINUX", arch, accelerator), reason, _instead(arch, mcpu))


def _cloud() -> list[Device]:
    x86 = ("LINUX", "X86_64")
    neuron = "needs the Neuron compiler"
    eia = "needs Amazon Elastic Inference, a service that AWS has ended"
    return [
        _cpu("lambda", "X86_64", "haswell"),  # AWS promises AVX2 for x86 functions
        _cpu("ml_m4", "X86_64", "haswell"),
        _cpu("ml_m5", "X86_64", "skylake-avx512"),
        _cpu("ml_m6g", "ARM64", "neoverse-n1"),
        _cpu("ml_c4", "X86_64", "haswell"),
        _cpu("ml_c5", "X86_64", "skylake-avx512"),
        _cpu("ml_c6g", "ARM64", "neoverse-n1"),
        _accelerated("ml_p2", "X86_64", "NVIDIA", "broadwell"),
        _accelerated("ml_p3", "X86_64", "NVIDIA", "broadwell"),
        _accelerated("ml_g4dn", "X86_64", "NVIDIA", "cascadelake"),
        _refused("ml_inf1", (*x86, "INFERENTIA"), neuron),
        _refused("ml_inf2", (*x86, "INFERENTIA2"), neuron),
        _refused("ml_trn1", (*x86, "TRAINIUM"), neuron),
        _refused("ml_eia2", (*x86, "EIA"), eia, "choose ml_c5 or another CPU target"),
    ]


def _boards() -> list[Device]:
    npu = "is compiled by Neo for its NPU, which needs NXP's TIM-VX"
    return [
        _accelerated("jetson_tx1", "ARM64", "NVIDIA", "cortex-a57"),
        _accelerated("jetson_tx2", "ARM64", "NVIDIA", "cortex-a57"),
        _accelerated("jetson_nano", "ARM64", "NVIDIA", "cortex-a57"),
        _accelerated("jetson_xavier", "ARM64", "NVIDIA", "carmel"),
        # Neo and DLR take the Pi 3 as 32 bit (armv7l) and the Pi 4 as 64 bit (aarch64).
        _cpu("rasp3b", "ARM_EABIHF", "cortex-a53"),
        _cpu("rasp4b", "ARM64", "cortex-a72"),
        _cpu("imx8qm", "ARM64", "cortex-a53"),  # has A72 and A53 cores; A53 runs on both
        _accelerated("deeplens", "X86_64", "INTEL_GRAPHICS", "goldmont"),
        _accelerated("rk3399", "ARM64", "MALI", "cortex-a53"),
        _accelerated("rk3288", "ARM_EABIHF", "MALI", "cortex-a17"),
        _accelerated("aisage", "ARM64", "MALI", "cortex-a53"),
        _cpu("sbe_c", "X86_64", "haswell"),  # Neo's own example is core-avx2, LLVM's old name of haswell
        _refused("imx8mplus", ("LINUX", "ARM64", "NPU"), npu, _instead("ARM64", "cortex-a53")),
    ]


def _vendors() -> list[Device]:
    ambarella = "needs Ambarella's CVflow compiler"
    tidl = "is compiled by Neo for its DSP, which needs TI's TIDL compiler"
    android = "runs Android with an Adreno GPU, which the local compiler does not build for"
    windows = "needs a Windows runtime and linker, which the local compiler has not"
    qualcomm = ("ANDROID", "ARM64", "MALI")
    cvflow = ("LINUX", "ARM64", "CVFLOW")
    return [
        _refused("qcs605", qualcomm, android),
        _refused("qcs603", qualcomm, android),
        _refused("sitara_am57x", ("LINUX", "ARM_EABIHF", "TIDL"), tidl, _instead("ARM_EABIHF", "cortex-a15")),
        _refused("amba_cv2", cvflow, ambarella),
        _refused("amba_cv22", cvflow, ambarella),
        _refused("amba_cv25", cvflow, ambarella),
        _refused("x86_win32", ("WINDOWS", "X86", ""), windows),
        _refused("x86_win64", ("WINDOWS", "X86_64", ""), windows),
        _refused("coreml", ("IOS_MACOS", "", ""), "needs Apple's Core ML tools"),
        _refused("jacinto_tda4vm", ("LINUX", "ARM64", "TIDL"), tidl, _instead("ARM64", "cortex-a72")),
    ]


def _platform(os: str, arch: str, accelerator: str) -> Device:
    name = "_".join(part for part in (os, arch, accelerator) if part)
    place = (os, arch, accelerator)
    offered = NEO_PLATFORMS.get((os, accelerator), ())
    if arch not in offered:
        return _refused(
            name, place, "is not a platform that SageMaker Neo supports", _offers(os, accelerator)
        )
    if os == "ANDROID":
        why = "needs Android's linker and runtime, which the local compiler has not"
        return _refused(name, place, why)
    if accelerator:
        return _refused(name, place, _ACCELERATOR_REASONS[accelerator], _without_accelerator(arch))
    return _cpu(name, arch)


def _offers(os: str, accelerator: str) -> str:
    offered = NEO_PLATFORMS.get((os, accelerator))
    if not offered:
        others = [other for (where, other) in NEO_PLATFORMS if where == os and other]
        return f"{os} goes without accelerator or with {' or '.join(others)}"
    what = f"{os} with {accelerator}" if accelerator else f"{os} without accelerator"
    return f"{what} goes with {', '.join(offered)}"


def _without_accelerator(arch: str) -> str:
    return f"leave Accelerator out to compile for the {arch} CPU, or {SAGEMAKER}"


def _platforms() -> dict[tuple[str, str, str], Device]:
    keys = [
        (os, arch, accelerator)
        for os in ("LINUX", "ANDROID")
        for arch in ("X86_64", "X86", "ARM64", "ARM_EABI", "ARM_EABIHF")
        for accelerator in ("", "NVIDIA", "MALI", "INTEL_GRAPHICS", "NNA")
    ]
    return {key: _platform(*key) for key in keys}


DEVICES: Mapping[str, Device] = MappingProxyType(
    {device.name: device for device in (*_cloud(), *_boards(), *_vendors())}
)
PLATFORMS: Mapping[tuple[str, str, str], Device] = MappingProxyType(_platforms())


def resolve(output_config: Mapping[str, Any]) -> Device:
    """The device of an OutputConfig with TargetDevice or TargetPlatform; it may be a refused one.

    Raises ApiError ValidationException for a name that is not in the API.
    """
    name = output_config.get("TargetDevice")
    platform = output_config.get("TargetPlatform") or {}
    key = (platform.get("Os", ""), platform.get("Arch", ""), platform.get("Accelerator") or "")
    device = DEVICES.get(name) if name else PLATFORMS.get(key)
    if device is None:
        what = f"TargetDevice {name!r}" if name else f"TargetPlatform {dict(platform)!r}"
        raise ApiError("ValidationException", f"{what} is not a target of SageMaker Neo.")
    return device


_MACHINES = {
    "x86_64": "X86_64", "amd64": "X86_64", "aarch64": "ARM64", "arm64": "ARM64",
    "armv7l": "ARM_EABIHF", "armv8l": "ARM_EABIHF",
}  # fmt: skip


def machine_platform(machine: str) -> dict[str, str]:
    """The TargetPlatform of a Linux machine, from `platform.machine()`.

    Raises ApiError ValidationException for an architecture that Neo has no word for.
    """
    arch = _MACHINES.get(machine.lower())
    if arch is None:
        raise ApiError("ValidationException", f"This machine's architecture, {machine}, is not one of Neo's.")
    return {"Os": "LINUX", "Arch": arch}
