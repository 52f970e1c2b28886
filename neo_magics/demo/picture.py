"""Digits as a picture: a row of 8 × 8 images in SVG, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PIXEL, _GAP, _CAPTION = 6, 10, 18


@dataclass(frozen=True)
class DigitsPicture:
    """`images` float32 (count, 1, 8, 8) in 0 to 1; `captions` as many; it shows itself in a notebook."""

    images: NDArray[np.float32]
    captions: Sequence[Any]

    def _repr_html_(self) -> str:
        step = 8 * _PIXEL + _GAP
        width = step * len(self.images)
        parts = [self._digit(index, index * step) for index in range(len(self.images))]
        label = escape(repr(self), quote=True)
        return (
            f'<svg width="{width}" height="{8 * _PIXEL + _CAPTION}" role="img" aria-label="{label}" '
            f'style="max-width:100%">{" ".join(parts)}</svg>'
        )

    def _digit(self, index: int, left: int) -> str:
        pixels = "".join(
            f'<rect x="{left + column * _PIXEL}" y="{row * _PIXEL}" width="{_PIXEL}" height="{_PIXEL}" '
            f'fill-opacity="{value:.2g}"/>'
            for (row, column), value in np.ndenumerate(self.images[index, 0])
            if value > 0
        )
        middle, bottom = left + 4 * _PIXEL, 8 * _PIXEL + 14
        return (
            f'<g fill="currentColor">{pixels}<text x="{middle}" y="{bottom}" text-anchor="middle" '
            f'font-size="13">{escape(str(self.captions[index]))}</text></g>'
        )

    def __repr__(self) -> str:
        return "Handwritten digits: " + ", ".join(map(str, self.captions))
