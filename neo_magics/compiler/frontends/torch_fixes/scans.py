"""Running maxima and minima, which TVM does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tvm import relax, tirx

from neo_magics.compiler.frontends.torch_fixes.arithmetic import cast_to
from neo_magics.compiler.kernels.running import MAXIMUM, MINIMUM, Running, running
from neo_magics.compiler.passes import calls

_LANES = 8  # the target is not known here: vectors of most CPUs, or two of them
_AS = {"bool": "uint8", "float16": "float32", "bfloat16": "float32"}


def extremes(kind: str) -> Callable[[Any, Any], Any]:
    """aten.cummax, aten.cummin: (values, positions). Free sizes may only be on and before the axis."""

    def convert(node: Any, importer: Any) -> Any:
        x, axis = importer.env[node.args[0]], int(node.args[1])
        builder, shape, dtype = importer.block_builder, calls.shape_of(x) or (), calls.dtype_of(x)
        axis %= len(shape)
        inner = calls.product(shape[axis + 1 :])
        if not isinstance(inner, int):
            raise NotImplementedError("along an axis with a free size behind it")
        flat, own = [calls.product(shape[:axis]), shape[axis], inner], _AS.get(dtype, dtype)
        outer, size = (
            part if isinstance(part, int) else tirx.Var(name, "int64")
            for part, name in zip(flat, ("outer", "size"), strict=False)
        )
        scan = Running(kind, outer, size, inner, own, own)
        kernel = builder.add_func(running(scan, _LANES), f"running_{kind}")
        data = builder.emit(relax.op.reshape(cast_to(builder.emit, x, own), flat))
        types = [relax.TensorType(flat, each) for each in (own, "int64")]
        both = builder.emit(relax.call_tir(kernel, [data], types))
        values, places = (
            builder.emit(relax.op.reshape(builder.emit(relax.TupleGetItem(both, field)), list(shape)))
            for field in (0, 1)
        )
        return builder.emit(relax.Tuple([cast_to(builder.emit, values, dtype), places]))

    return convert


CONVERTERS = {"cummax.default": extremes(MAXIMUM), "cummin.default": extremes(MINIMUM)}
