"""Scheduled module → library for the target, and its weights beside it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx

from neo_magics.artifact.manifest import LIBRARY, OBJECT, PARAMS, ParamSpec
from neo_magics.compiler.linker import find_linker
from neo_magics.compiler.lowering import register_pipeline
from neo_magics.compiler.targets import CpuTarget

ALIGNMENT = 64  # bytes; TVM's kernels may assume it


def build_library(module: tvm.IRModule, target: CpuTarget, folder: Path) -> str:
    """Compile `module`, which the pipeline has lowered, into `folder`; returns the library's file name.

    That is compiled.so where a linker is at hand, else compiled.o with the further objects beside it.
    """
    executable = relax.build(
        _with_a_kernel(module),
        target.tvm,
        relax_pipeline=None,
        tir_pipeline=register_pipeline(),
        exec_mode="bytecode",
    )
    linker = find_linker(target.triple)
    names: list[str] = []

    def finish(_output: str, objects: Sequence[str], _options: Any = None, **_: Any) -> None:
        paths = [Path(name) for name in objects]
        if linker is not None:
            linker.link(paths, folder / LIBRARY, target.triple)
            names.append(LIBRARY)
        else:
            names.extend(_keep(paths, folder))

    finish.object_format = "o"  # type: ignore[attr-defined]
    executable.export_library(str(folder / LIBRARY), fcompile=finish)
    return names[0]


def _with_a_kernel(module: tvm.IRModule) -> tvm.IRModule:
    """`module`, and for a model that only hands on its inputs a kernel that does nothing.

    Without any machine code TVM would write the model's bytecode as C, for a compiler that is not here.
    """
    if any(isinstance(function, tirx.PrimFunc) for function in module.functions.values()):
        return module
    nothing = tirx.PrimFunc([], tirx.Evaluate(0)).with_attr("global_symbol", "nothing")
    extended = module.clone()
    extended["nothing"] = nothing
    return extended


def _keep(objects: Sequence[Path], folder: Path) -> list[str]:
    """Copy the object files; the first is the library, the others stand beside it."""
    stem = Path(OBJECT).stem
    names = [OBJECT, *(f"{stem}.{number}.o" for number in range(1, len(objects)))]
    for source, name in zip(objects, names, strict=True):
        shutil.copyfile(source, folder / name)
    return names


def write_params(weights: Sequence[np.ndarray[Any, Any]], folder: Path) -> tuple[ParamSpec, ...]:
    """Write the weights one after the other, each at a 64-byte boundary, and say where each one is."""
    specs: list[ParamSpec] = []
    offset = 0
    with (folder / PARAMS).open("wb") as file:
        for number, weight in enumerate(weights):
            array = np.asarray(weight, order="C")
            file.write(b"\0" * (offset - file.tell()))
            file.write(array.tobytes())
            specs.append(ParamSpec(f"p{number}", array.shape, str(array.dtype), offset, array.nbytes))
            offset = -(-(offset + array.nbytes) // ALIGNMENT) * ALIGNMENT
    return tuple(specs)
