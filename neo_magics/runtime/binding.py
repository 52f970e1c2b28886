"""Arguments of a call → the model's inputs in order, or an error that shows both sides."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neo_magics.artifact.manifest import TensorSpec
from neo_magics.errors import RuntimeInputError
from neo_magics.runtime.arrays import (
    Array,
    aligned_empty,
    in_dlpack,
    is_torch,
    numpy_dtype,
    share_aligned,
    to_tensor,
    torch_to_tensor,
)


@dataclass(frozen=True)
class Binder:
    """Checks names, shapes and dtypes against the model's inputs."""

    specs: tuple[TensorSpec, ...]

    @cached_property
    def names(self) -> list[str]:
        """The inputs' names, in order."""
        return [spec.name for spec in self.specs]

    @cached_property
    def _plain(self) -> list[tuple[np.dtype[Any], tuple[int | str, ...], int] | None]:
        """What an array must have to be passed on as it is: dtype, shape, and from which axis on it counts.

        None where NumPy's DLPack lacks the dtype. An only input may have a free first axis.
        """
        dtypes = [numpy_dtype(spec.dtype) for spec in self.specs]
        return [
            (
                dtype,
                spec.shape,
                int(len(self.specs) == 1 and bool(spec.shape) and isinstance(spec.shape[0], str)),
            )
            if in_dlpack(dtype)
            else None
            for dtype, spec in zip(dtypes, self.specs, strict=True)
        ]

    @cached_property
    def _copies(self) -> threading.local:
        """For each thread, by an input's place: an aligned array of our own, and the tensor on its memory."""
        return threading.local()

    def by_name(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The values in the model's order; positional first, then by name; one dict alone is by name.

        Raises `RuntimeInputError` for a missing, unknown or repeated input.
        """
        if not kwargs:
            if len(args) == 1 and isinstance(args[0], Mapping):
                return self.by_name((), args[0])
            if len(args) == len(self.specs):
                return list(args)
        names = self.names
        if not args and len(kwargs) == len(names) and all(name in kwargs for name in names):
            return [kwargs[name] for name in names]
        if len(args) > len(names):
            raise self._wrong_names(f"{len(args)} arrays were given")
        values = dict(zip(names, args, strict=False))
        twice = sorted(set(values) & set(kwargs))
        if twice:
            raise self._wrong_names(f"{_quoted(twice)} was given twice")
        values.update(kwargs)
        unknown = [name for name in values if name not in names]
        missing = [name for name in names if name not in values]
        if unknown or missing:
            parts = [f"missing {_quoted(missing)}"] if missing else []
            parts += [f"unknown {_quoted(unknown)}"] if unknown else []
            raise self._wrong_names(", ".join(parts))
        return [values[name] for name in names]

    def tensors(self, values: Sequence[Any]) -> list[Any]:
        """The TVM tensors of `values`; raises `RuntimeInputError` for a wrong shape or dtype.

        A free dimension may have any size, the same wherever its name stands.
        """
        return self._plain_tensors(values) or self._checked_tensors(values)

    def _plain_tensors(self, values: Sequence[Any]) -> list[Any] | None:
        """The usual call: arrays of just the right form, in a microsecond. None: look closer."""
        tensors = []
        for place, (value, plain) in enumerate(zip(values, self._plain, strict=True)):
            if plain is None or type(value) is not np.ndarray:
                return None
            dtype, shape, first = plain
            if value.dtype != dtype or value.ndim != len(shape) or value.shape[first:] != shape[first:]:
                return None
            tensor = share_aligned(value)
            tensors.append(self._copied(place, value) if tensor is None else tensor)
        return tensors

    def _copied(self, place: int, value: Array) -> Any:
        """The tensor of a copy, in memory that the thread's next call uses again: fresh pages are slow."""
        kept: dict[int, tuple[Array, Any]] = vars(self._copies).setdefault("kept", {})
        if place not in kept or kept[place][0].shape != value.shape:
            array = aligned_empty(value.shape, value.dtype)
            kept[place] = array, share_aligned(array)
        array, tensor = kept[place]
        np.copyto(array, value)
        return tensor

    def _checked_tensors(self, values: Sequence[Any]) -> list[Any]:
        sizes: dict[str, tuple[int, str]] = {}
        return [self._tensor(spec, value, sizes) for spec, value in zip(self.specs, values, strict=True)]

    def _tensor(self, spec: TensorSpec, value: Any, sizes: dict[str, tuple[int, str]]) -> Any:
        if is_torch(value):
            _check_torch(spec, value)
            _check_shape(spec, tuple(value.shape), sizes)
            return torch_to_tensor(value)
        array = as_array(spec, value)
        if array.dtype != numpy_dtype(spec.dtype):
            raise _wrong_dtype(spec, str(array.dtype), array.shape)
        _check_shape(spec, array.shape, sizes)
        return to_tensor(array, spec.dtype)

    def _wrong_names(self, what: str) -> RuntimeInputError:
        listing = "; ".join(map(str, self.specs))
        return RuntimeInputError(
            f"The model has {_count(len(self.specs))}, and {what}.", hint=f"Expected: {listing}."
        )


def as_array(spec: TensorSpec, value: Any) -> np.ndarray[Any, Any]:
    """`value` as an array. Python numbers and lists have no dtype of their own and take the input's."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, bool | int | float | complex | list | tuple):
        return _from_python(spec, value)
    array = np.asarray(value)
    if array.dtype == object:
        raise RuntimeInputError(
            f"Input {spec.name!r} is a {type(value).__name__}, which is no array.", hint=f"Expected {spec}."
        )
    return array


def _from_python(spec: TensorSpec, value: Any) -> np.ndarray[Any, Any]:
    dtype = numpy_dtype(spec.dtype)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise RuntimeInputError(
            f"Input {spec.name!r} is a nested list of uneven lengths.", hint=f"Expected {spec}."
        ) from error
    order = "biufcV"  # kinds, from narrow to wide; V are the floating types of ml_dtypes
    if array.dtype.kind not in order or order.index(array.dtype.kind) > order.index(dtype.kind):
        return array  # a float for an integer input: refused by the dtype check
    return array.astype(dtype)


def _check_torch(spec: TensorSpec, value: Any) -> None:
    if value.device.type != "cpu" or value.layout.__str__() != "torch.strided":
        raise RuntimeInputError(
            f"Input {spec.name!r} is a {value.layout} tensor on {value.device}.",
            hint="The compiled model runs on the CPU: pass x.cpu(), dense.",
        )
    dtype = str(value.dtype).removeprefix("torch.")
    if dtype != spec.dtype:
        raise _wrong_dtype(spec, dtype, tuple(value.shape), torch=True)


def _wrong_dtype(
    spec: TensorSpec, got: str, shape: tuple[int, ...], *, torch: bool = False
) -> RuntimeInputError:
    cast = f"x.to(torch.{spec.dtype})" if torch else f"x.astype({spec.dtype!r})"
    return RuntimeInputError(
        f"Input {spec.name!r}: expected {spec.dtype}{_dims(spec.shape)}, got {got}{_dims(shape)}.",
        hint=f"Convert it: {cast}.",
        input=spec.name,
    )


def _check_shape(spec: TensorSpec, shape: tuple[int, ...], sizes: dict[str, tuple[int, str]]) -> None:
    if shape == spec.shape:
        return
    if len(shape) != len(spec.shape):
        raise _wrong_shape(spec, shape, f"it has {len(shape)} dimensions in place of {len(spec.shape)}")
    for axis, (size, expected) in enumerate(zip(shape, spec.shape, strict=True)):
        if isinstance(expected, str):
            known, where = sizes.setdefault(expected, (size, spec.name))
            if size != known:
                raise _wrong_shape(spec, shape, f"{expected!r} is {known} in {where!r} and {size} here")
        elif size != expected:
            raise _wrong_shape(spec, shape, f"dimension {axis} must be {expected}")


def _wrong_shape(spec: TensorSpec, shape: tuple[int, ...], why: str) -> RuntimeInputError:
    return RuntimeInputError(
        f"Input {spec.name!r}: expected shape {_dims(spec.shape)}, got {_dims(shape)}: {why}.",
        hint="Reshape the input, or compile the model for this shape (null leaves a dimension free).",
        input=spec.name,
    )


def _dims(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _count(number: int) -> str:
    return "1 input" if number == 1 else f"{number} inputs"
