"""A drop-in for `dlr.DLRModel`, so that code written for SageMaker Neo's runtime runs artifacts unchanged:

from neo_magics.runtime import DLRModel     # was: from dlr import DLRModel
model = DLRModel("compiled", "cpu", 0)
scores = model.run({"input": x})[0]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import RuntimeInputError, UsageError
from neo_magics.runtime.loading import load

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array


class DLRModel:
    """The artifact in `model_path` (its folder, as DLR takes it, or its .tar.gz).

    As in DLR, inputs of float32 take any number and cast it; inputs of other dtypes must match. `dev_type` is
    "cpu" or None and `dev_id` 0 or None; others raise `UsageError`.
    """

    def __init__(
        self, model_path: str | Path, dev_type: str | None = "cpu", dev_id: int | None = 0, **_ignored: Any
    ) -> None:
        if dev_type not in (None, "cpu") or dev_id not in (None, 0):
            raise UsageError(
                f"DLRModel runs on the CPU here, not on {dev_type!r} {dev_id}.", hint="Use 'cpu', 0."
            )
        self._model = load(model_path)
        self._last: dict[str, Array] = {}

    def run(self, input_values: Any) -> list[Array]:
        """The outputs, in order, for one array, a list of them in order, or a dict by name.

        Inputs that a dict leaves out keep their values from the last call, as in DLR.
        """
        given = self._by_name(input_values)
        values = {**self._last, **{name: self._cast(name, value) for name, value in given.items()}}
        outputs = self._model.run(values)
        self._last = values
        return [self._array(value) for value in outputs.values()]

    def get_input(self, name: str, shape: Sequence[int] | None = None) -> Array:
        """A copy of the current value of input `name`, reshaped where `shape` is given."""
        if name not in self._last:
            raise RuntimeInputError(f"Input {name!r} was not set yet.", hint="Call run first.")
        value = self._last[name].copy()
        return value if shape is None else value.reshape(tuple(shape))

    def get_input_names(self) -> list[str]:
        """All input names."""
        return [spec.name for spec in self._model.inputs]

    def get_input_dtypes(self) -> list[str]:
        """All input dtypes."""
        return [spec.dtype for spec in self._model.inputs]

    def get_output_names(self) -> list[str]:
        """All output names."""
        return [spec.name for spec in self._model.outputs]

    def get_output_dtypes(self) -> list[str]:
        """All output dtypes."""
        return [spec.dtype for spec in self._model.outputs]

    def get_input_name(self, index: int) -> str:
        """The name of one input."""
        return self.get_input_names()[index]

    def get_input_dtype(self, index: int) -> str:
        """The dtype of one input."""
        return self.get_input_dtypes()[index]

    def get_output_name(self, index: int) -> str:
        """The name of one output."""
        return self.get_output_names()[index]

    def get_output_dtype(self, index: int) -> str:
        """The dtype of one output."""
        return self.get_output_dtypes()[index]

    def get_version(self) -> str:
        """The version of the runtime: TVM's."""
        from importlib import metadata

        return metadata.version("apache-tvm")

    def has_metadata(self) -> bool:
        """Always: an artifact has its manifest."""
        return True

    def _by_name(self, values: Any) -> Mapping[str, Any]:
        if isinstance(values, Mapping):
            return values
        given = list(values) if isinstance(values, list | tuple) else [values]
        names = self.get_input_names()
        if len(given) != len(names):
            raise RuntimeInputError(
                f"{len(given)} arrays were given, and the model has {len(names)} inputs.",
                hint=f"Give one for each of: {', '.join(names)}.",
            )
        return dict(zip(names, given, strict=True))

    def _cast(self, name: str, value: Any) -> Array:
        """A copy in the input's dtype where that is float32, else the value as it is."""
        import numpy as np

        dtypes = {spec.name: spec.dtype for spec in self._model.inputs}
        array = np.array(value)
        return array.astype(np.float32) if dtypes.get(name) == "float32" else array

    def _array(self, value: Any) -> Array:
        import numpy as np

        return np.asarray(value)
