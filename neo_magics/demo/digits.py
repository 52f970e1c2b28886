"""scikit-learn's handwritten digits, split into a part to train on and a held-out part."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

HELD_OUT = 450  # of 1,797 digits
SEED = 0


@dataclass(frozen=True)
class Digits:
    """Images float32 (count, 1, 8, 8) in 0 to 1, labels int64 (count,) in 0 to 9."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_digits() -> Digits:
    """The shipped digits (see assets/NOTICE.md), shuffled with a fixed seed; `HELD_OUT` are held out."""
    with files("neo_magics.demo").joinpath("assets/digits.npz").open("rb") as file, np.load(file) as arrays:
        images = arrays["images"].astype(np.float32)[:, None] / 16
        labels = arrays["labels"].astype(np.int64)
    order = np.random.default_rng(SEED).permutation(len(labels))
    train, test = order[:-HELD_OUT], order[-HELD_OUT:]
    return Digits(images[train], labels[train], images[test], labels[test])
