"""Images of free size are resized with tables that are made when the model runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neo_magics.compiler.kernels import INJECTIVE, OPAQUE
from neo_magics.compiler.kernels.resize import (
    farther,
    mix_columns,
    mix_rows,
    nearer,
    resize_bilinear,
    resize_nearest,
    share,
)
from neo_magics.compiler.passes import calls

if TYPE_CHECKING:
    from neo_magics.compiler.passes.pack_convolutions import Packer

MODES = ("half_pixel", "asymmetric", "align_corners")


def resize_free(packer: Packer, call: Any) -> Any | None:
    """resize2d: bilinear, or to the pixel at or before each place; packed where the image is, else None."""
    source, attrs = call.args[0], call.attrs
    mode, rounding = str(attrs.coordinate_transformation_mode), str(attrs.rounding_method)
    nearest = attrs.method == "nearest_neighbor" and (mode, rounding) == ("asymmetric", "floor")
    linear = attrs.method == "linear" and mode in MODES and calls.dtype_of(call) == "float32"
    if not (nearest or linear):
        return None
    channels = (calls.shape_of(call) or ())[1]
    data = packer.packed(source)
    sizes = [
        packer.named(image) if data is not None else (calls.shape_of(image) or ())[2:]
        for image in (source, call)
    ]
    pairs = list(zip(*sizes, strict=True))
    kernels = (nearer,) if nearest else (nearer, farther, share)
    tables = [
        packer.emit(kernel, pattern=OPAQUE, sizes={"sizes": pair}, mode=mode)
        for pair in pairs
        for kernel in kernels
    ]
    if data is not None:
        resized = resize_nearest if nearest else resize_bilinear
        return packer.keep(packer.emit(resized, data, *tables, pattern=INJECTIVE), int(channels))
    if nearest:
        return packer.emit(resize_nearest, source, *tables, pattern=INJECTIVE)
    wide = packer.emit(mix_columns, source, *tables[3:], pattern=OPAQUE)
    return packer.emit(mix_rows, wide, *tables[:3], pattern=INJECTIVE)
