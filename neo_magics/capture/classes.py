"""Class labels as whole numbers, which is what a compiled model can return."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def class_numbers(classes: Array) -> Array:
    """What stands for each class: the label itself where labels are whole numbers, else its place."""
    listed = np.asarray(classes)
    return listed.astype(np.int64) if listed.dtype.kind in "iu" else np.arange(len(listed))


def class_names(classes: Array) -> tuple[str, ...]:
    """The texts that places stand for; empty where labels are whole numbers and stand for themselves."""
    listed = np.asarray(classes)
    return () if listed.dtype.kind in "iu" else tuple(str(name) for name in listed.tolist())


def as_numbers(labels: Array, classes: Array) -> Array:
    """Labels that a framework predicted, as the numbers of their classes."""
    return np.asarray(class_numbers(classes)[np.searchsorted(classes, labels)])
