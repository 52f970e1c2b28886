"""Checks of values while the model runs: PyTorch raises there, a compiled model goes on."""

from __future__ import annotations

from typing import Any


def unchecked(_node: Any, _importer: Any) -> None:
    """aten._assert_async and _assert_scalar. TVM: a call that no runtime has, so the model did not load."""


CONVERTERS = dict.fromkeys(
    ("_assert_async.default", "_assert_async.msg", "_assert_scalar.default"),
    unchecked,
)
