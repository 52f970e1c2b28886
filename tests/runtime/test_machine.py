"""Whether an artifact can run here is said before it crashes."""

from __future__ import annotations

import pytest

from neo_magics.api.devices import DEVICES
from neo_magics.errors import ArtifactError
from neo_magics.runtime.machine import check_machine, cpu_flags, cpu_model, required_flags

HASWELL = frozenset(
    {"cx16", "lahf_lm", "popcnt", "ssse3", "sse4_1", "sse4_2", "avx", "avx2", "abm", "bmi1", "bmi2"}
    | {"f16c", "fma", "movbe", "sse2"}
)
HERE = {"os": "LINUX", "arch": "X86_64"}


@pytest.fixture(autouse=True)
def x86(monkeypatch):
    """These tests speak of an x86-64 Linux machine."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")


@pytest.mark.parametrize("mcpu", ["", "x86-64", "x86-64-v2", "haswell", "broadwell", "a cpu of next year"])
def test_code_for_this_cpu_or_an_older_one_passes(mcpu):
    check_machine({**HERE, "mcpu": mcpu}, HASWELL)


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ({"mcpu": "skylake-avx512"}, "avx512bw, avx512cd, avx512dq, avx512f, avx512vl"),
        ({"mcpu": "haswell", "mattr": ["+avx512vnni"]}, "avx512_vnni"),
        ({"mcpu": "haswell", "mattr": "+avx512f,+sse4.2"}, "avx512f"),
    ],
)
def test_what_this_cpu_lacks_is_named(target, missing):
    with pytest.raises(ArtifactError, match=f"uses {missing}, which this machine's CPU") as caught:
        check_machine({**HERE, **target}, HASWELL)
    assert "x86-64-v2" in caught.value.hint


def test_a_feature_switched_off_is_not_asked_for():
    features = [f"-avx512{part}" for part in ("f", "bw", "cd", "dq", "vl")]
    check_machine({**HERE, "mcpu": "skylake-avx512", "mattr": features}, HASWELL)


def test_a_cpu_that_does_not_say_passes():
    check_machine({**HERE, "mcpu": "znver5"}, frozenset())


@pytest.mark.parametrize("arch", ["ARM64", "ARM_EABIHF", "ARM_EABI", "X86"])
def test_other_architectures_are_refused(arch):
    with pytest.raises(ArtifactError, match=f"compiled for {arch}, and this machine is x86_64"):
        check_machine({"os": "LINUX", "arch": arch})


def test_another_system_is_refused():
    with pytest.raises(ArtifactError, match="compiled for ANDROID, and this machine runs linux"):
        check_machine({"os": "ANDROID", "arch": "X86_64"})


def test_every_64_bit_cpu_in_the_table_of_devices_is_known():
    devices = [device for device in DEVICES.values() if device.compilable]
    cpus = {d.mcpu for d in devices if d.arch in ("X86_64", "ARM64")} - {"x86-64", "generic"}
    unknown = {mcpu for mcpu in cpus if not required_flags({"mcpu": mcpu})}
    assert not unknown


def test_arm_devices_ask_for_neon_by_the_kernels_name():
    assert required_flags({"arch": "ARM_EABIHF", "mattr": ["+neon"]}) == ["neon"]
    assert required_flags({"arch": "ARM64", "mattr": ["+neon", "+dotprod"]}) == ["asimd", "asimddp"]


def test_code_for_a_newer_arm_core_is_refused_on_an_older_one(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    target = {"os": "LINUX", "arch": "ARM64", "mcpu": "neoverse-n1"}
    raspberry_pi_4 = frozenset({"fp", "asimd", "evtstrm", "crc32", "cpuid"})
    with pytest.raises(ArtifactError, match="uses asimddp, asimdhp, atomics") as caught:
        check_machine(target, raspberry_pi_4)
    assert '{"mcpu": "generic"}' in caught.value.hint
    check_machine({**target, "mcpu": "cortex-a72"}, raspberry_pi_4)


def test_flags_of_another_architecture_are_not_this_cpus(monkeypatch):
    """An emulated Arm process reads the /proc/cpuinfo of the x86 machine below it."""
    below = ["model name\t: AMD EPYC", "flags\t\t: fpu sse2 avx512f"]
    monkeypatch.setattr("neo_magics.runtime.machine._cpuinfo", lambda: below)
    assert cpu_flags() == {"fpu", "sse2", "avx512f"}
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert cpu_flags() == frozenset()


def test_this_machine_says_what_it_is(monkeypatch):
    monkeypatch.undo()
    assert cpu_model()
    assert "sse2" in cpu_flags() or "asimd" in cpu_flags()
