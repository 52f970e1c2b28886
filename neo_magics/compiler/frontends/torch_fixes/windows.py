"""F.unfold, which PyTorch itself writes as gathers by places."""

from __future__ import annotations

import math
from typing import Any

from tvm import relax

from neo_magics.compiler.kernels.windows import Windows, emit_windows
from neo_magics.compiler.passes import calls


def unfolded(node: Any, importer: Any) -> Any:
    """aten.im2col of images of known sizes: [N, C · window, windows]."""
    x, (sizes, dilations, padding, strides) = importer.env[node.args[0]], map(tuple, node.args[1:5])
    builder, shape = importer.block_builder, calls.shape_of(x) or ()
    batched = x if len(shape) == 4 else builder.emit(relax.op.expand_dims(x, 0))
    found = Windows(sizes, strides, dilations, padding, padding)
    made = emit_windows(builder, batched, found)
    channels, *axes = (int(size) for size in shape[-3:])
    flat = [channels * math.prod(sizes), math.prod(found.counts(axes))]
    return builder.emit(relax.op.reshape(made, [*shape[:-3], *flat]))


CONVERTERS = {"im2col.default": unfolded}
