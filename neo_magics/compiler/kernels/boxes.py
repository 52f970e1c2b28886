# mypy: ignore-errors
# TVMScript: annotations are values there, and the decorated functions are never run as Python.
"""Non-maximum suppression, whose results are as many as the data decide. (TVM finds no boxes.)

Each class of each image is a group, and groups run in parallel: the best box that is left is kept, and
those that overlap it too much are left no longer, until none is, or enough are kept.
"""

from __future__ import annotations

from typing import Any

from tvm.script import tirx as T

from neo_magics.compiler.kernels.selection import ATTRIBUTES


def suppression(batch: int, classes: int, size: int, most: int, *, centred: bool) -> Any:
    """Non-maximum suppression: (boxes [batch, size, 4], scores [batch, classes, size], overlap [1], least
    score [1]) → (batch, class, box) of those kept [batch · classes · most, 3], and how many there are [1].

    Of each class at most `most` boxes are kept, the best first; one that overlaps a kept one by more than
    `overlap` is dropped. Boxes are two corners, or with `centred` a centre and a size.
    """
    groups = batch * classes
    corners_of = _around_centre if centred else _sorted_corners

    @T.prim_func(s_tir=True, private=True)
    def kernel(
        box: T.Buffer((batch, size, 4), "float32"),
        score: T.Buffer((batch, classes, size), "float32"),
        overlap: T.Buffer((1,), "float32"),
        least: T.Buffer((1,), "float32"),
        kept: T.Buffer((groups * most, 3), "int64"),
        count: T.Buffer((1,), "int64"),
    ):
        T.func_attr(ATTRIBUTES)
        with T.sblock("root"):
            T.reads()
            T.writes()
            corner = T.alloc_buffer((batch, size, 4), "float32")
            chosen = T.alloc_buffer((groups, most), "int32")
            chosen_of = T.alloc_buffer((groups,), "int32")
            for b in T.serial(batch):
                for k in T.serial(size):
                    for axis in T.unroll(2):
                        corners_of(corner, box, b, k, axis)
            for g in T.parallel(groups):
                left = T.alloc_buffer((size,), "int32")
                many = T.alloc_buffer((2,), "int32", scope="local")  # are left; were left before
                best = T.alloc_buffer((1,), "int32", scope="local")
                area = T.alloc_buffer((3,), "float32", scope="local")  # common, of the best, of the other
                many[0] = 0
                for k in T.serial(size):
                    if score[g // classes, g % classes, k] > least[0]:
                        left[many[0]] = k
                        many[0] = many[0] + 1
                chosen_of[g] = 0
                while many[0] > 0 and chosen_of[g] < most:
                    _find_best(best, score, left, many[0], g // classes, g % classes)
                    chosen[g, chosen_of[g]] = best[0]
                    chosen_of[g] = chosen_of[g] + 1
                    many[1] = many[0]
                    many[0] = 0
                    for k in T.serial(many[1]):
                        _measure(area, corner, g // classes, best[0], left[k])
                        if left[k] != best[0] and not (
                            area[0] > overlap[0] * (area[1] + area[2] - area[0])
                            and area[1] > T.float32(0)
                            and area[2] > T.float32(0)
                        ):
                            left[many[0]] = left[k]
                            many[0] = many[0] + 1
            _collect(kept, count, chosen, chosen_of, classes, groups, most)

    return kernel


@T.macro
def _sorted_corners(corner, box, b, k, axis):
    """Two opposite corners in any order → the lower and the upper one."""
    corner[b, k, axis] = T.min(box[b, k, axis], box[b, k, axis + 2])
    corner[b, k, axis + 2] = T.max(box[b, k, axis], box[b, k, axis + 2])


@T.macro
def _around_centre(corner, box, b, k, axis):
    """A centre and a size → the lower and the upper corner."""
    corner[b, k, axis] = box[b, k, axis] - box[b, k, axis + 2] / T.float32(2)
    corner[b, k, axis + 2] = box[b, k, axis] + box[b, k, axis + 2] / T.float32(2)


@T.macro
def _find_best(best, score, left, many, b, c):
    """best[0]: of the first `many` boxes of `left` the one with the largest score, the first of equals."""
    best[0] = left[0]
    for k in T.serial(many):
        if score[b, c, left[k]] > score[b, c, best[0]]:
            best[0] = left[k]


@T.macro
def _measure(area, corner, b, one, other):
    """area: what two boxes have in common, that of `one`, that of `other`."""
    area[0] = T.float32(1)
    area[1] = T.float32(1)
    area[2] = T.float32(1)
    for axis in T.unroll(2):
        area[0] = area[0] * T.max(
            T.float32(0),
            T.min(corner[b, one, axis + 2], corner[b, other, axis + 2])
            - T.max(corner[b, one, axis], corner[b, other, axis]),
        )
        area[1] = area[1] * (corner[b, one, axis + 2] - corner[b, one, axis])
        area[2] = area[2] * (corner[b, other, axis + 2] - corner[b, other, axis])


@T.macro
def _collect(kept, count, chosen, chosen_of, classes, groups, most):
    """The chosen of all groups one behind the other, then zeros."""
    count[0] = T.int64(0)
    for k in T.serial(groups * most):
        for axis in T.unroll(3):
            kept[k, axis] = T.int64(0)
    for g in T.serial(groups):
        for k in T.serial(chosen_of[g]):
            kept[count[0], 0] = T.int64(g // classes)
            kept[count[0], 1] = T.int64(g % classes)
            kept[count[0], 2] = T.Cast("int64", chosen[g, k])
            count[0] = count[0] + T.int64(1)
