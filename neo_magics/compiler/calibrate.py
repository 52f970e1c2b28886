"""Ranges of the operands that are to become bytes, measured with the float32 model on calibration inputs."""

from __future__ import annotations

import math
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
from neo_magics.compiler.ranges import best_range
from neo_magics.compiler.targets import CpuTarget
from neo_magics.errors import InputError

Arrays = Sequence[np.ndarray[Any, Any]]  # one call's inputs, in their order
Optimize = Callable[[tvm.IRModule], tuple[tvm.IRModule, list[Any]]]
SAMPLE = 4096  # numbers of each operand that are looked at, of one calibration input


def calibrate(
    module: tvm.IRModule,
    target: CpuTarget,
    samples: Sequence[Arrays],
    optimize: Optimize,
    emit: Callable[[Event], None],
) -> list[Range]:
    """One range for each of `inner_products`, by `best_range` over all samples.

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
    count = len(operands)
    lows, highs = found[:, :count].min(axis=0), found[:, count : 2 * count].max(axis=0)
    wrong = np.flatnonzero(~np.isfinite(lows) | ~np.isfinite(highs))
    if len(wrong):
        raise InputError(
            f"On the calibration inputs, {len(wrong)} of {count} layers see NaN or infinite numbers.",
            hint="Give inputs on which the model computes finite numbers.",
        )
    edges = np.cumsum([_sampled(operand) for operand in operands])[:-1]
    parts = np.split(found[:, 2 * count :], edges, axis=1)
    ends = zip(parts, lows, highs, strict=True)
    return [best_range(part.reshape(-1), float(low), float(high)) for part, low, high in ends]


def observer(module: tvm.IRModule, operands: Sequence[Any]) -> tvm.IRModule:
    """`module` whose result is one vector: each operand's minimum, each one's maximum, some numbers of each.

    The numbers are evenly spaced over an operand of known shape, at most `SAMPLE`; of a free one, none.
    """
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
                    remembered[operand] = _looked_at(builder.emit, operand)
            looks = [remembered[operand] for operand in operands]
            parts = [look[place] for place in range(3) for look in looks if place < len(look)]
            result = builder.emit_output(relax.op.concat(parts, axis=0))
        builder.emit_func_output(result)
    made = builder.get()
    for var, other in module.functions_items():
        if var.name_hint != calls.ENTRY:
            made[var] = other
    return made


def _looked_at(emit: Callable[[Any], Any], operand: Any) -> list[Any]:
    """The minimum, the maximum, and, where the shape is known, a sample, as vectors."""
    ends = [emit(reduce(operand)) for reduce in (relax.op.min, relax.op.max)]
    looked = [emit(relax.op.reshape(value, [1])) for value in ends]
    if _sampled(operand):
        flat = emit(relax.op.reshape(operand, [-1]))
        step = _step(operand)
        looked.append(emit(relax.op.strided_slice(flat, [0], [0], [step * _sampled(operand)], [step])))
    return looked


def _step(operand: Any) -> int:
    """From one number of the sample to the next: odd, so that not only some channels are met."""
    size = math.prod(calls.static_shape(operand) or ())
    return max(1, size // SAMPLE - (size // SAMPLE + 1) % 2)


def _sampled(operand: Any) -> int:
    """How many numbers the sample has."""
    shape = calls.static_shape(operand)
    return 0 if shape is None else min(SAMPLE, math.prod(shape) // _step(operand))


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
