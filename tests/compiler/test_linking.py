"""A library of the right kind for each architecture; object files where there is no linker."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from tvm import relax

from neo_magics.api import devices
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler import build, linker
from neo_magics.compiler.pipeline import optimize
from neo_magics.compiler.targets import resolve_target
from neo_magics.errors import TargetError
from tests.compiler.models import constant, module, x86_target

# e_machine of the ELF header, and the class (32 or 64 bits).
MACHINES = {"X86_64": (62, 64), "ARM64": (183, 64), "ARM_EABIHF": (40, 32)}
HARD_FLOAT = 0x400  # e_flags of a 32-bit Arm library that passes floats in vector registers


def elf(path: Path) -> tuple[int, int, int, int]:
    """Type, machine, class in bits and flags of an ELF file."""
    head = path.read_bytes()[:64]
    assert head[:4] == b"\x7fELF"
    bits = 32 * head[4]
    kind, machine = struct.unpack_from("<HH", head, 16)
    [flags] = struct.unpack_from("<I", head, 48 if bits == 64 else 36)
    return kind, machine, bits, flags


def small_network(x: relax.Var) -> list[relax.Expr]:
    y = relax.op.nn.relu(relax.op.nn.conv2d(x, constant((16, 3, 3, 3)), padding=1))
    y = relax.op.reshape(relax.op.nn.max_pool2d(y, 2, 2), [1, 256])
    return [relax.op.nn.softmax(relax.op.matmul(y, constant((256, 10))))]


@pytest.mark.parametrize("arch", MACHINES)
def test_each_architecture_gets_a_shared_library(arch: str, tmp_path: Path) -> None:
    device = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": arch}})
    target = resolve_target(device, CompilerOptions())
    lowered = optimize(module(small_network, ((1, 3, 8, 8), "float32")), target, lambda _event: None)
    name = build.build_library(lowered.module, target, tmp_path)
    kind, machine, bits, flags = elf(tmp_path / name)
    assert (kind, machine, bits) == (3, *MACHINES[arch])  # 3: shared library
    assert arch != "ARM_EABIHF" or flags & HARD_FLOAT


def test_objects_are_left_where_there_is_no_linker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(linker.shutil, "which", lambda _name: None)
    target = x86_target()
    lowered = optimize(module(small_network, ((1, 3, 8, 8), "float32")), target, lambda _event: None)
    assert build.build_library(lowered.module, target, tmp_path) == "compiled.o"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compiled.1.o", "compiled.o"]
    assert all(elf(path)[0] == 1 for path in tmp_path.iterdir())  # 1: relocatable object


def test_another_machine_needs_a_linker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linker.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(linker.shutil, "which", lambda _name: None)
    with pytest.raises(TargetError, match=r"aarch64.*neo-magics\[cross\]"):
        linker.find_linker("aarch64-linux-gnu")


def test_what_the_linker_says_is_in_the_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.o"
    broken.write_bytes(b"not an object")
    found = linker.find_linker("x86_64-linux-gnu")
    assert found is not None
    with pytest.raises(TargetError, match=r"broken\.o"):
        found.link([broken], tmp_path / "library.so", "x86_64-linux-gnu")


def test_weights_lie_at_aligned_offsets_in_one_file(tmp_path: Path) -> None:
    weights = [np.arange(3, dtype="float32"), np.float32(7), np.ones((2, 5), "int8"), np.zeros((0, 4), "f4")]
    specs = build.write_params(weights, tmp_path)
    data = (tmp_path / "compiled.params").read_bytes()
    assert all(spec.offset % 64 == 0 for spec in specs)
    for spec, weight in zip(specs, weights, strict=True):
        found = np.frombuffer(data, spec.dtype, np.size(weight), spec.offset).reshape(spec.shape)
        np.testing.assert_array_equal(found, weight)
