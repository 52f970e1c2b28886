"""Pictures and volumes read at given points. TVM: takes the coordinates for the first axis of a grid."""

from __future__ import annotations

from typing import Any

from tvm import relax

_METHODS, _PADDINGS = ("bilinear", "nearest"), ("zeros", "border")


def grid_sampler(node: Any, importer: Any) -> Any:
    """aten.grid_sampler_2d and _3d, linear or nearest, with zeros or the border around."""
    x, grid = (importer.env[arg] for arg in node.args[:2])
    mode, padding, aligned = node.args[2:]
    if mode >= len(_METHODS) or padding >= len(_PADDINGS):
        raise NotImplementedError("cubic, or reflected at the border, of volumes")
    rank = len(importer.shape_of(grid)) - 2
    emit = importer.block_builder.emit
    points = emit(relax.op.permute_dims(grid, [0, rank + 1, *range(1, rank + 1)]))
    layout = {2: "NCHW", 3: "NCDHW"}[rank]
    return emit(
        relax.op.image.grid_sample(x, points, _METHODS[mode], layout, _PADDINGS[padding], bool(aligned))
    )


CONVERTERS = {"grid_sampler_2d.default": grid_sampler, "grid_sampler_3d.default": grid_sampler}
