"""The two ways into a model's machine code: TVM's virtual machine, and one function without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from neo_magics.artifact.dtypes import is_narrow
from neo_magics.artifact.kernels import DIRECT, DIRECT_WORKSPACE
from neo_magics.artifact.manifest import Manifest, TensorSpec
from neo_magics.runtime.arrays import aligned_empty, to_tensor
from neo_magics.runtime.libraries import find_function, load_runtime


class Entry(Protocol):
    """A call of the model: TVM tensors of the inputs in order → those of the outputs."""

    @property
    def fresh(self) -> bool:
        """Whether outputs always have memory of their own."""

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The outputs."""


def make_entry(manifest: Manifest, library: Any, machine: Any, weights: Sequence[Any]) -> Entry:
    """The direct entry where the artifact has one, else the virtual machine's.

    An entry is not for several threads at once. It keeps the weights alive.
    """
    direct, size = (find_function(library, name) for name in (DIRECT, DIRECT_WORKSPACE))
    if direct is not None and all(_is_sized(spec, manifest.inputs) for spec in manifest.outputs):
        return DirectEntry(direct, size, manifest, weights)
    return MachineEntry(machine[manifest.entry], weights)


class MachineEntry:
    """Calls `main` in the virtual machine; outputs may be inputs or weights that were handed through."""

    fresh: ClassVar[bool] = False

    def __init__(self, function: Any, weights: Sequence[Any]) -> None:
        self._function = function
        self._weights = load_runtime().Array(weights)

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The outputs."""
        result = self._function(*tensors, self._weights)
        if hasattr(result, "data_ptr"):
            return [result]
        # Iterating over TVM's tuple costs as much as the rest of a call.
        return [result[index] for index in range(len(result))]


class DirectEntry:
    """Calls the function that calls the kernels: some tenths of a microsecond less for each of them.

    The outputs are fresh tensors; what lies between is in one workspace that the next call uses again.
    """

    fresh: ClassVar[bool] = True

    def __init__(self, function: Any, size: Any, manifest: Manifest, weights: Sequence[Any]) -> None:
        runtime = load_runtime()
        self._function, self._size = function, size
        self._weights = list(weights)
        addresses = [tensor.data_ptr() for tensor in weights] or [0]  # TVM refuses empty tensors
        self._addresses = to_tensor(np.array(addresses, np.int64), "int64")
        self._free = bool(_free_sizes(manifest.inputs))
        self._bytes = 0
        self._allocate = runtime.get_global_func("runtime.TVMTensorAllocWithScope")
        self._device = runtime.device("cpu", 0)
        self._outputs = [_Output(spec, manifest.inputs) for spec in manifest.outputs]

    def __call__(self, tensors: Sequence[Any]) -> list[Any]:
        """The outputs."""
        if self._free or not self._bytes:
            self._make_room(self._size(*tensors))
        outputs = [
            self._allocate(each.sized(tensors), each.dtype, self._device, None) for each in self._outputs
        ]
        self._function(*tensors, *outputs, self._addresses, self._workspace)
        return outputs

    def _make_room(self, size: int) -> None:
        """A workspace of at least `size` bytes; it grows with the largest free dimensions."""
        if size > self._bytes:
            self._bytes = size
            self._workspace = to_tensor(aligned_empty((size,), np.dtype(np.uint8)), "uint8")


class _Output:
    """The dtype of an output, and its shape: fixed, or of sizes that inputs have."""

    def __init__(self, spec: TensorSpec, inputs: Sequence[TensorSpec]) -> None:
        runtime = load_runtime()
        self.dtype = runtime.dtype(spec.dtype)
        free = any(isinstance(size, str) for size in spec.shape)
        self._shape = None if free else runtime.Shape(spec.shape)
        places = _free_sizes(inputs)
        self._sizes = [places[size] if isinstance(size, str) else size for size in spec.shape]
        self._last: tuple[list[int], Any] = ([], None)  # making a shape takes longer than all else

    def sized(self, tensors: Sequence[Any]) -> Any:
        """The shape for these inputs."""
        if self._shape is not None:
            return self._shape
        sizes = [size if isinstance(size, int) else tensors[size[0]].shape[size[1]] for size in self._sizes]
        if sizes != self._last[0]:
            self._last = sizes, load_runtime().Shape(sizes)
        return self._last[1]


def _is_sized(output: TensorSpec, inputs: Sequence[TensorSpec]) -> bool:
    """Whether the inputs tell its sizes, and the runtime has its dtype."""
    known = {*_free_sizes(inputs), *(size for size in output.shape if isinstance(size, int))}
    return not is_narrow(output.dtype) and known.issuperset(output.shape)


def _free_sizes(inputs: Sequence[TensorSpec]) -> dict[str, tuple[int, int]]:
    """For each free dimension, the number of an input and the axis where it stands."""
    return {
        size: (number, axis)
        for number, spec in reversed(list(enumerate(inputs)))
        for axis, size in enumerate(spec.shape)
        if isinstance(size, str)
    }
