"""Device and options → TVM target: what LLVM does not know is an error, and not a silent generic CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tvm.target import codegen

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler.machine import describe
from neo_magics.compiler.targets import masked_features, resolve_target
from neo_magics.errors import TargetError


def platform(arch: str = "X86_64") -> devices.Device:
    return devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": arch}})


def test_native_is_the_cpu_of_this_machine() -> None:
    target = resolve_target(platform(), CompilerOptions(mcpu="native"))
    assert target.mcpu == codegen.llvm_get_system_cpu()
    assert target.machine.cores >= 1


@pytest.mark.parametrize(
    ("mcpu", "mattr", "lanes"),
    [
        ("x86-64", (), 4),
        ("x86-64-v3", (), 8),
        ("skylake-avx512", (), 16),
        ("skylake-avx512", ("-avx512f",), 8),
        ("x86-64", ("+avx",), 8),
    ],
)
def test_vectors_are_as_wide_as_the_features_say(mcpu: str, mattr: tuple[str, ...], lanes: int) -> None:
    target = resolve_target(platform(), CompilerOptions(mcpu=mcpu, mattr=mattr))
    assert target.machine.lanes == lanes


@pytest.mark.parametrize(
    "device", [d for d in devices.DEVICES.values() if d.compilable], ids=lambda d: d.name
)
def test_every_compilable_device_has_a_target(device: devices.Device) -> None:
    target = resolve_target(device, CompilerOptions())
    assert target.triple == device.triple
    assert target.machine.lanes >= 4


def test_an_unknown_cpu_is_refused_with_a_suggestion() -> None:
    with pytest.raises(TargetError, match=r"skylake-avx51'.*Did you mean.*skylake-avx512"):
        resolve_target(platform(), CompilerOptions(mcpu="skylake-avx51"))


@pytest.mark.parametrize("attribute", ["+nonsense", "-nonsense", "neon"])
def test_an_unknown_feature_is_refused(attribute: str) -> None:
    with pytest.raises(TargetError, match="not a CPU feature"):
        resolve_target(platform(), CompilerOptions(mattr=(attribute,)))


def test_native_is_refused_for_another_architecture() -> None:
    with pytest.raises(TargetError, match="aarch64"):
        resolve_target(platform("ARM64"), CompilerOptions(mcpu="native"))


def test_a_refused_device_says_why() -> None:
    refused = replace(platform(), name="box", refused="needs a compiler that is not here")
    with pytest.raises(TargetError, match=r"box .*needs a compiler"):
        resolve_target(refused, CompilerOptions())


def test_lower_precision_is_refused_rather_than_ignored() -> None:
    with pytest.raises(TargetError, match="float16"):
        resolve_target(platform(), CompilerOptions(dtype="float16"))


def test_features_that_a_hypervisor_hides_are_switched_off(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nflags : fpu sse2 avx f16c fma avx2\n")
    hidden = masked_features("skylake-avx512", "x86_64-linux-gnu", cpuinfo)
    assert "-avx512f" in hidden
    assert "-avx2" not in hidden


def test_nothing_is_switched_off_on_this_machine_that_it_has() -> None:
    flags = Path("/proc/cpuinfo").read_text()
    hidden = masked_features(str(codegen.llvm_get_system_cpu()), "x86_64-linux-gnu")
    assert not [
        name for name in ("avx2", "avx512f", "avx512bw") if f"-{name}" in hidden and f" {name} " in flags
    ]


def test_a_machine_without_known_vectors_still_gets_a_tile() -> None:
    machine = describe("riscv64-linux-gnu", set(), 0)
    assert machine.accumulators > 0
