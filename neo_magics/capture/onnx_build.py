"""Building an ONNX graph step by step: what our readers of other formats make of a model.

Each of them turns its layers into standard operators; from there ONNX's importer and ONNX Runtime go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neo_magics.errors import UnsupportedOperatorsError

Array = np.ndarray[Any, Any]
Sizes = Sequence[int | str]
OPSET, IR_VERSION = 17, 9


class GraphMaker:
    """A graph in the making: operators and constants are added, and named after the layer at work."""

    def __init__(self, opset: int = OPSET) -> None:
        self.layer = "model"
        self._opset = opset
        self._nodes: list[Any] = []
        self._weights: list[Any] = []
        self._count = 0

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """The name of the result; a tuple of names for several."""
        import onnx

        names = [self._name() for _ in range(outputs)]
        node = onnx.helper.make_node(
            operator, list(inputs), names, name=f"{self.layer}/{names[0]}", **attributes
        )
        self._nodes.append(node)
        return names[0] if outputs == 1 else tuple(names)

    def constant(self, values: Any, dtype: Any = None) -> str:
        """The name of a stored array; Python's floats are float32, its integers int64."""
        import onnx

        array = np.asarray(values, dtype)
        if dtype is None and array.dtype == np.float64:
            array = array.astype(np.float32)
        name = self._name()
        self._weights.append(
            onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    def rename(self, value: str, name: str) -> str:
        """`value` under another name."""
        import onnx

        self._nodes.append(onnx.helper.make_node("Identity", [value], [name], name=name))
        return name

    def finish(
        self,
        inputs: Mapping[str, tuple[str, Sizes]],
        outputs: Sequence[str],
        dtypes: Mapping[str, str] | None = None,
    ) -> Any:
        """The ModelProto; `inputs` are name → (dtype, sizes), where a text is a free dimension."""
        import onnx

        def value(name: str, dtype: str, sizes: Sizes | None) -> Any:
            kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            return onnx.helper.make_tensor_value_info(name, kind, sizes)

        said = dtypes or {}
        graph = onnx.helper.make_graph(
            self._nodes,
            "model",
            [value(name, dtype, sizes) for name, (dtype, sizes) in inputs.items()],
            [value(name, said.get(name, "float32"), None) for name in outputs],
            self._weights,
        )
        opset = onnx.helper.make_opsetid("", self._opset)
        return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)

    def _name(self) -> str:
        self._count += 1
        return f"v{self._count}"


def refuse_unknown(framework: str, missing: Mapping[str, Sequence[str]], hint: str) -> None:
    """Raise `UnsupportedOperatorsError`, in Neo's words, for operators → layers, if any."""
    if not missing:
        return
    names = ", ".join(sorted(missing))
    places = "; ".join(f"{what} in {', '.join(where[:3])}" for what, where in sorted(missing.items()))
    raise UnsupportedOperatorsError(
        f"TVM cannot convert {framework} model. Please make sure the framework you selected is correct. "
        f"The following operators are not implemented: {{{names}}} ({places}).",
        hint=hint,
        operators=sorted(missing),
        places=missing,
    )
