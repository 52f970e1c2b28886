"""Every target of the API is known, and either compiled for or refused with a reason and a next step."""

from __future__ import annotations

from itertools import product

import pytest

from neo_magics.api.contract import service_model
from neo_magics.api.devices import DEVICES, NEO_PLATFORMS, PLATFORMS, machine_platform, resolve
from neo_magics.errors import ApiError

ARCHITECTURES = {
    "X86_64": "x86_64-linux-gnu",
    "ARM64": "aarch64-linux-gnu",
    "ARM_EABIHF": "armv7l-linux-gnueabihf",
    "ARM_EABI": "armv7l-linux-gnueabi",
}


def enum(shape: str) -> list[str]:
    return list(service_model("sagemaker").shape_for(shape).enum)


def test_the_table_holds_exactly_the_devices_of_the_service_model() -> None:
    assert set(DEVICES) == set(enum("TargetDevice"))
    assert len(DEVICES) == 37


def test_every_combination_of_a_platform_is_known() -> None:
    accelerators = ["", *enum("TargetPlatformAccelerator")]
    combinations = product(enum("TargetPlatformOs"), enum("TargetPlatformArch"), accelerators)
    assert set(PLATFORMS) == set(combinations)


@pytest.mark.parametrize("device", [*DEVICES.values(), *PLATFORMS.values()], ids=lambda device: device.name)
def test_a_target_is_compilable_or_refused_by_name_with_a_next_step(device) -> None:
    if device.compilable:
        assert device.os == "LINUX"
        assert device.triple == ARCHITECTURES[device.arch]
        assert device.mcpu
        assert not device.accelerator
    else:
        assert device.refused.startswith(device.name + " ")
        assert "; " in device.refused
        assert not device.triple


def test_llvm_knows_every_cpu_of_the_table() -> None:
    codegen = pytest.importorskip("tvm.target.codegen")
    from tvm.target import Target

    for device in (*DEVICES.values(), *PLATFORMS.values()):
        if device.compilable:
            target = Target({"kind": "llvm", "mtriple": device.triple, "mcpu": device.mcpu})
            assert device.mcpu in map(str, codegen.llvm_get_cpu_archlist(target)), device
            features = set(map(str, codegen.llvm_get_cpu_features(target)))
            assert {flag.lstrip("+") for flag in device.mattr} <= features


@pytest.mark.parametrize(
    ("name", "arch", "mcpu"),
    [
        ("ml_c5", "X86_64", "skylake-avx512"),
        ("ml_m4", "X86_64", "haswell"),
        ("ml_c6g", "ARM64", "neoverse-n1"),
        ("rasp4b", "ARM64", "cortex-a72"),
        ("rasp3b", "ARM_EABIHF", "cortex-a53"),
    ],
)
def test_the_cpus_of_common_targets(name: str, arch: str, mcpu: str) -> None:
    device = resolve({"TargetDevice": name})
    assert (device.arch, device.mcpu) == (arch, mcpu)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("ml_inf1", "needs the Neuron compiler; use --backend sagemaker"),
        ("jetson_nano", '{"mcpu": "cortex-a57"}'),
        ("amba_cv22", "Ambarella's CVflow compiler"),
        ("ml_eia2", "choose ml_c5"),
        ("coreml", "Apple's Core ML tools"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(name: str, part: str) -> None:
    assert part in DEVICES[name].refused


def test_a_platform_that_neo_lacks_is_told_apart_from_one_that_we_lack() -> None:
    for (os, arch, accelerator), device in PLATFORMS.items():
        offered_by_neo = arch in NEO_PLATFORMS.get((os, accelerator), ())
        assert ("is not a platform that SageMaker Neo supports" in device.refused) is not offered_by_neo


def test_a_platform_is_resolved_with_and_without_accelerator() -> None:
    assert resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "ARM64"}}).name == "LINUX_ARM64"
    accelerated = resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "ARM64", "Accelerator": "NVIDIA"}})
    assert accelerated.name == "LINUX_ARM64_NVIDIA"


@pytest.mark.parametrize("config", [{"TargetDevice": "toaster"}, {"TargetPlatform": {"Os": "BEOS"}}, {}])
def test_an_unknown_target_is_a_validation_error(config: dict[str, object]) -> None:
    with pytest.raises(ApiError, match="not a target of SageMaker Neo") as caught:
        resolve(config)
    assert caught.value.code == "ValidationException"


def test_machines_have_a_platform() -> None:
    assert machine_platform("x86_64") == {"Os": "LINUX", "Arch": "X86_64"}
    assert machine_platform("aarch64")["Arch"] == "ARM64"
    with pytest.raises(ApiError, match="riscv64"):
        machine_platform("riscv64")
