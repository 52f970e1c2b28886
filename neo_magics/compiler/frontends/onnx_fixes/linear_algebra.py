"""Det, which TVM's importer does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.onnx_fixes.node import Node, dtype_of, shape_of
from neo_magics.compiler.kernels.determinant import determinant


def _determinant(node: Node) -> Any:
    x = node.tensor(0)
    *outer, size, _columns = shape_of(x)
    if not all(isinstance(each, int) for each in (*outer, size)):
        raise node.unsupported("of a free size")
    batch = int(np.prod(outer))
    function = node.builder.add_func(determinant(batch, size, dtype_of(x)), "determinant")
    matrices = node.emit(relax.op.reshape(x, [batch, size, size]))
    result = node.emit(relax.call_tir(function, [matrices], relax.TensorType([batch], dtype_of(x))))
    return relax.op.reshape(result, outer)


CONVERTERS = {"Det": _determinant}
