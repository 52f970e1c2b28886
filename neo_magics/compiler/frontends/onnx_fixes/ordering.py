"""TopK.

TVM: refuses sorted=0, which allows any order; it sorts no uint64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import (
    Node,
    cast,
    constant,
    dtype_of,
    normal_axis,
    shape_of,
)


def _top(node: Node) -> Any:
    if node.opset < 10:
        return None
    x, count = node.tensor(0), int(node.known(1, "a number of elements")[0])
    axis = normal_axis(int(node.attribute("axis", -1)), len(shape_of(x)))
    largest = bool(node.attribute("largest", 1))
    if dtype_of(x) != "uint64":
        return relax.op.topk(x, count, axis, ret_type="both", largest=largest, dtype="int64")
    lowest = constant(np.array(np.iinfo("int64").min))  # the sign turned over, the order is that of int64
    keys = node.emit(relax.op.bitwise_xor(cast(node, x, "int64"), lowest))
    places = node.emit(relax.op.topk(keys, count, axis, ret_type="indices", largest=largest, dtype="int64"))
    return relax.Tuple([node.emit(relax.op.gather_elements(x, places, axis)), places])


CONVERTERS = {"TopK": _top}
