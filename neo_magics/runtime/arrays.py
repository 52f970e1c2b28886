"""Arrays in and out of TVM's runtime without copies: NumPy, PyTorch, ml_dtypes.

Kernels may assume that data starts at a multiple of 64 bytes and is dense; what is not so is copied.
"""

from __future__ import annotations

import functools
import math
import sys
from contextlib import suppress
from typing import Any

import numpy as np

from neo_magics.artifact.dtypes import carried, carrier, is_narrow
from neo_magics.errors import ArtifactError
from neo_magics.runtime.libraries import load_runtime

ALIGNMENT = 64  # bytes
Array = np.ndarray[Any, np.dtype[Any]]


@functools.cache
def numpy_dtype(name: str) -> np.dtype[Any]:
    """The dtype called `name`, of NumPy or of ml_dtypes ("bfloat16")."""
    with suppress(TypeError):
        return np.dtype(name)
    try:
        import ml_dtypes

        dtype: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return dtype
    except (ImportError, AttributeError, TypeError) as error:
        raise ArtifactError(f"The dtype {name!r} is unknown here.", hint="pip install ml_dtypes") from error


def is_torch(value: object) -> bool:
    """Whether `value` is a PyTorch tensor; never imports PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An uninitialised dense array that starts at a multiple of 64 bytes."""
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def to_tensor(array: Array, dtype: str) -> Any:
    """The TVM tensor for `array`, sharing its memory unless that is unaligned, strided or read-only."""
    if is_narrow(dtype):
        return to_tensor(carried(array), carrier(dtype))
    if not array.size:
        return new_tensor(array.shape, dtype)
    flags = array.flags
    if not (flags.c_contiguous and flags.writeable):
        return to_tensor(_aligned_copy(array), dtype)
    tensor = _share(array, dtype)
    return tensor if tensor.data_ptr() % ALIGNMENT == 0 else _share(_aligned_copy(array), dtype)


def share_aligned(array: Array) -> Any | None:
    """The TVM tensor on the memory of an array of a dtype in DLPack; None where it has to be copied."""
    if not array.flags.carray:  # dense, in order, writable
        return None
    if not array.size:
        return new_tensor(array.shape, str(array.dtype))
    tensor = load_runtime().from_dlpack(array)
    return None if tensor.data_ptr() % ALIGNMENT else tensor


def new_tensor(shape: tuple[int, ...], dtype: str) -> Any:
    """An uninitialised TVM tensor. Kernels refuse NumPy's empty ones: their strides are others."""
    runtime = load_runtime()
    allocate = runtime.get_global_func("runtime.TVMTensorAllocWithScope")
    return allocate(runtime.Shape(shape), runtime.dtype(dtype), runtime.device("cpu", 0), None)


def _share(array: Array, dtype: str) -> Any:
    """The TVM tensor on the memory of a dense array."""
    from_dlpack = load_runtime().from_dlpack
    if in_dlpack(array.dtype):
        return from_dlpack(array)
    return _view(from_dlpack(array.view(_carrier(array.dtype))), array.shape, dtype)


def _aligned_copy(array: Array) -> Array:
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def torch_to_tensor(value: Any) -> Any:
    """The TVM tensor for a PyTorch CPU tensor, sharing its memory where that is aligned and dense."""
    value = value.detach()
    if value.is_conj() or value.is_neg():
        value = value.resolve_conj().resolve_neg()
    dense = value.contiguous()
    if dense.data_ptr() % ALIGNMENT:
        dense = dense.clone()  # PyTorch allocates at multiples of 64
    return load_runtime().from_dlpack(dense)


def to_numpy(tensor: Any) -> Array:
    """The NumPy array on the memory of a TVM tensor."""
    dtype = numpy_dtype(str(tensor.dtype))
    if in_dlpack(dtype):
        return plain_to_numpy(tensor)
    carrier = _carrier(dtype)
    return np.from_dlpack(_view(tensor, tensor.shape, str(carrier))).view(dtype)


def plain_to_numpy(tensor: Any) -> Array:
    """The same for a dtype that is known to be in DLPack: asking a tensor for its dtype takes a while."""
    return np.from_dlpack(tensor)


def to_torch(tensor: Any) -> Any:
    """The PyTorch tensor on the memory of a TVM tensor."""
    return sys.modules["torch"].from_dlpack(tensor)


def in_dlpack(dtype: np.dtype[Any]) -> bool:
    """Whether NumPy exchanges this dtype: its own only; those of ml_dtypes have kind V."""
    return dtype.kind in "biufc"


def _carrier(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"uint{8 * dtype.itemsize}")


def _view(tensor: Any, shape: tuple[int, ...], dtype: str) -> Any:
    ffi = load_runtime()
    view = ffi.get_global_func("runtime.TVMTensorCreateView")
    return view(tensor, ffi.Shape(shape), ffi.dtype(dtype), 0)
