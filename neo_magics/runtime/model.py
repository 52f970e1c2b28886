"""A compiled model that is called like a function."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from neo_magics.artifact.dtypes import is_narrow, uncarried
from neo_magics.artifact.manifest import Manifest, TensorSpec
from neo_magics.errors import ExecutionError
from neo_magics.runtime.arrays import in_dlpack, is_torch, numpy_dtype, plain_to_numpy, to_numpy, to_torch
from neo_magics.runtime.binding import Binder
from neo_magics.runtime.description import html_summary, text_summary
from neo_magics.runtime.entry import Entry
from neo_magics.runtime.threads import default_threads, process_pools


class CompiledModel:
    """A loaded artifact, made by `neo_magics.runtime.load`.

    Call it with arrays in the order of `inputs`, by keyword, or with one dict: it returns one array, or a
    tuple where there are several outputs. PyTorch tensors in give PyTorch tensors out, else NumPy arrays.
    Names, shapes and dtypes must be those of `inputs`, or `RuntimeInputError` shows what was expected.

    Calls from several threads are safe and take turns. Each thread that calls has its own pool of
    `threads` workers, as TVM's runtime keeps one for each.
    """

    def __init__(
        self, manifest: Manifest, entry: Entry, weights: Sequence[Any], *, threads: int | None = None
    ) -> None:
        self.manifest = manifest
        self.threads = threads or default_threads()
        self._entry = entry
        self._weight_places = {tensor.data_ptr() for tensor in weights}
        self._binder = Binder(manifest.inputs)
        plain = all(in_dlpack(numpy_dtype(spec.dtype)) for spec in manifest.outputs)
        self._carried = any(is_narrow(spec.dtype) for spec in manifest.outputs)
        self._to_numpy = plain_to_numpy if plain else to_numpy
        self._lock = threading.Lock()  # an entry keeps its frames or workspace in one place

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Name, shape and dtype of each input, in order."""
        return self.manifest.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """Name, shape and dtype of each output, in order."""
        return self.manifest.outputs

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """For an output of places in a list of class labels, the labels by the output's name."""
        return self.manifest.classes

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The output, or the tuple of outputs."""
        outputs = self._call(self._binder.by_name(args, kwargs))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs by name, for inputs by name."""
        outputs = self._call(self._binder.by_name((), inputs))
        return {spec.name: value for spec, value in zip(self.outputs, outputs, strict=True)}

    def _call(self, values: Sequence[Any]) -> list[Any]:
        tensors = self._binder.tensors(values)
        process_pools().use(self.threads)
        try:
            with self._lock:
                result = self._entry(tensors)
        except (RuntimeError, ValueError, TypeError) as error:
            raise _told(error, [tuple(tensor.shape) for tensor in tensors]) from error
        convert = to_torch if any(map(is_torch, values)) else self._to_numpy
        outputs = [convert(tensor) for tensor in result]
        if not self._entry.fresh:
            outputs = self._own(outputs, result, tensors)
        return self._uncarried(outputs) if self._carried else outputs

    def _uncarried(self, outputs: Sequence[Any]) -> list[Any]:
        """Outputs in the dtypes of the manifest, where the model has them in others (PyTorch's stay so)."""
        pairs = zip(self.outputs, outputs, strict=True)
        return [
            array
            if is_torch(array) or not is_narrow(spec.dtype)
            else uncarried(array, numpy_dtype(spec.dtype))
            for spec, array in pairs
        ]

    def _own(self, outputs: Sequence[Any], result: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Copies where the model handed an input or a weight through: the caller may write to outputs."""
        theirs = self._weight_places.union(tensor.data_ptr() for tensor in inputs)
        return [
            _copy(array) if tensor.data_ptr() in theirs else array
            for array, tensor in zip(outputs, result, strict=True)
        ]

    def __repr__(self) -> str:
        return text_summary(self.manifest, self.threads)

    def _repr_html_(self) -> str:
        return html_summary(self.manifest, self.threads)


def _copy(array: Any) -> Any:
    return array.clone() if is_torch(array) else array.copy()


def _told(error: Exception, shapes: Sequence[tuple[int, ...]]) -> ExecutionError:
    if "match_cast" in str(error):  # what TVM says where sizes that only the run knows are not equal
        return ExecutionError(
            f"Inputs of these sizes do not fit the model: {', '.join(map(str, shapes))}. "
            "Parts of it that are joined or added get different sizes.",
            hint="Give sizes that it takes in its framework: multiples of 2, 4, 8, … where it halves images.",
        )
    return ExecutionError(
        f"The compiled model failed while it ran: {_first_line(error)}",
        hint="Compile the model again; if it goes on, please report it with the model.",
    )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
