"""Ranges of the operands that are to become bytes, measured with the float32 model on calibration inputs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from tvm import relax

from neo_magics.api.events import Event, ProgressEvent
from neo_magics.compiler.build import build_library
from neo_magics.compiler.passes import calls
from neo_magics.compiler.passes.lower_precision import inner_products
from neo_magics.compiler.passes.narrow_operand import Range
from neo_magics.compiler.targets import CpuTarget
from neo_magics.errors import InputError

Arrays = Sequence[np.ndarray[Any, Any]]  # one call's inputs, in their order
Optimize = Callable[[tvm.IRModule], tuple[tvm.IRModule, list[Any]]]


def calibrate(
    module: tvm.IRModule,
    target: CpuTarget,
    samples: Sequence[Arrays],
    optimize: Optimize,
    emit: Callable[[Event], None],
) -> list[Range]:
    """One range for each of `inner_products`, the widest over all samples.

    `module` is as `inner_products` will see it again; `optimize` lowers a module and gives its weights.
    Raises InputError where there are no samples.
    """
    if not samples:
        raise InputError(
            "int8 needs calibration inputs: they tell the range of each layer.",
            hint="Give some typical inputs: --calibrate data, or calibration=data.",
        )
    operands = [call.args[0] for call in inner_products(module, target.machine)]
    if not operands:
        return []
    found = np.array(list(_watch(observer(module, operands), target, samples, optimize, emit)))
    lows, highs = found[:, 0::2].min(axis=0), found[:, 1::2].max(axis=0)
    wrong = np.flatnonzero(~np.isfinite(lows) | ~np.isfinite(highs))
    if len(wrong):
        raise InputError(
            f"On the calibration inputs, {len(wrong)} of {len(operands)} layers see NaN or infinite numbers.",
            hint="Give inputs on which the model computes finite numbers.",
        )
    return [Range(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def observer(module: tvm.IRModule, operands: Sequence[Any]) -> tvm.IRModule:
    """`module` whose results are the minimum and the maximum of each operand, in one vector."""
    function = module[calls.ENTRY]
    builder = relax.BlockBuilder()
    remembered: dict[Any, Any] = {}
    with builder.function(calls.ENTRY, list(function.params)):
        with builder.dataflow():
            for block in function.body.blocks:
                for binding in block.bindings:
                    builder.emit_normalized(relax.VarBinding(binding.var, binding.value))
            for operand in operands:
                if operand not in remembered:
                    both = [builder.emit(reduce(operand)) for reduce in (relax.op.min, relax.op.max)]
                    remembered[operand] = [builder.emit(relax.op.reshape(value, [1])) for value in both]
            ends = [end for operand in operands for end in remembered[operand]]
            result = builder.emit_output(relax.op.concat(ends, axis=0))
        builder.emit_func_output(result)
    made = builder.get()
    for var, other in module.functions_items():
        if var.name_hint != calls.ENTRY:
            made[var] = other
    return made


def _watch(
    module: tvm.IRModule,
    target: CpuTarget,
    samples: Sequence[Arrays],
    optimize: Optimize,
    emit: Callable[[Event], None],
) -> Iterator[np.ndarray[Any, Any]]:
    lowered, weights = optimize(module)
    with tempfile.TemporaryDirectory(prefix="neo-magics-calibrate-") as folder:
        library = build_library(lowered, target, Path(folder))
        machine = relax.VirtualMachine(tvm.runtime.load_module(str(Path(folder) / library)), tvm.cpu())
        for number, sample in enumerate(samples, start=1):
            inputs = [tvm.runtime.tensor(np.ascontiguousarray(array)) for array in sample]
            yield machine["main"](*inputs, weights).numpy()
            emit(ProgressEvent("calibrate", number, len(samples), "inputs"))
