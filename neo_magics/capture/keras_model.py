"""A Keras model with the torch backend as a torch module: loaded from its file, called with plain tensors."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from neo_magics.capture.keras_file import KerasFile, check_safe, classes, describe, foreign_classes
from neo_magics.capture.needs import needed
from neo_magics.capture.quiet import quiet_torch
from neo_magics.capture.request import TensorInfo
from neo_magics.errors import InputError, UntrustedPickleError

_NOT_LAYERS = frozenset({"Functional", "Model", "Sequential"})


def import_keras(backend: str = "torch") -> Any:
    """Keras with `backend`, in a process of our own; one that was imported before keeps its backend."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
        if backend == "torch":
            needed("torch", "Keras models, which are computed in PyTorch here,", "keras")
    return needed("keras", "Keras models", "keras")


def load_model(path: Path, *, trust: bool = False) -> tuple[Any, KerasFile]:
    """The model in `path` and what its file says, without its training state.

    Raises `InputError` for a file that cannot be read or has layers that only their own code can build, and
    `UntrustedPickleError` for one that would run code of the file, unless `trust`.
    """
    file = describe(path)
    check_safe(path, file, trust=trust)
    keras = import_keras(os.environ.get("KERAS_BACKEND", "torch"))
    _check_classes(keras, path, file)
    try:
        with quiet_torch():
            model = keras.saving.load_model(str(path), compile=False, safe_mode=not trust)
    except Exception as error:  # Keras raises whatever its layers raise
        text = " ".join(str(error).split())[:300]
        if "unsafe" in text.lower():
            raise UntrustedPickleError(
                f"Loading {path.name} would run code that is stored in it: {text}",
                hint="If you trust the file, say --trust-pickle.",
            ) from error
        raise InputError(
            f"Keras {keras.__version__} cannot load {path.name} (saved by "
            f"{file.keras_version or 'another'}): {text}",
            hint="Load it where it was made and save it again with model.save('model.keras').",
        ) from error
    return model, file


def _check_classes(keras: Any, path: Path, file: KerasFile) -> None:
    """All layers at once that Keras does not have, before it stops at the first of them."""
    foreign = foreign_classes(file.config)
    if "module" not in file.config:  # written by Keras 2, which names no modules
        for name, where in classes({"layers": file.config.get("config", {}).get("layers", [])}):
            known = name in _NOT_LAYERS or hasattr(keras.layers, name)
            if not known and name[:1].isupper() and _is_layer(file.config, name):
                foreign.setdefault(name, []).append(where)
    if foreign:
        listed = "; ".join(f"{name} in {', '.join(filter(None, where))}" for name, where in foreign.items())
        raise InputError(
            f"{path.name} has classes and functions that are not Keras' own: {listed}.",
            hint="Give the live model in place of its file, with KERAS_BACKEND=torch set before Keras is "
            "imported, or replace them with Keras' own.",
            classes=sorted(foreign),
        )


def _is_layer(config: Any, name: str) -> bool:
    body = config.get("config", {})
    return any(layer.get("class_name") == name for layer in body.get("layers", []) if isinstance(layer, dict))


def as_module(model: Any) -> Any:
    """A torch module over the Keras model: its inputs by position, inference mode."""
    import torch

    class KerasModule(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return self.model(arranged(self.model, inputs), training=False)

    return KerasModule()


def arranged(model: Any, inputs: Sequence[Any]) -> Any:
    """`inputs` in the structure that the model was built with: one tensor, a list or a dict."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(inputs):
        import keras

        return keras.tree.pack_sequence_as(structure, list(inputs))
    return inputs[0] if len(inputs) == 1 else list(inputs)


def model_inputs(model: Any, file: KerasFile | None) -> tuple[TensorInfo, ...]:
    """The inputs as the file names them; a live model's own where there is none."""
    if file is not None and file.inputs:
        return file.inputs
    tensors = getattr(model, "inputs", None) or []
    return tuple(
        TensorInfo(
            str(tensor.name),
            tuple(
                size if isinstance(size, int) else f"{tensor.name}_dim{axis}" if axis else "batch"
                for axis, size in enumerate(tensor.shape)
            ),
            str(tensor.dtype),
        )
        for tensor in tensors
    )


@contextlib.contextmanager
def whole_recurrent_layers(model: Any) -> Iterator[None]:
    """LSTM and GRU layers as one call of PyTorch each, in place of Keras' loop over the steps.

    The compiler has one kernel for such a call; Keras' loop, exported, has all operators of each step. Only
    layers of the usual form: tanh and sigmoid, no dropout within, a GRU that resets after the product.
    """
    layers = [layer for layer in model._flatten_layers() if _usual(layer)]
    for layer in layers:
        layer.inner_loop = _Loop(layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["inner_loop"]


def _usual(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind not in ("LSTM", "GRU") or not type(layer).__module__.startswith("keras."):
        return False
    names = layer.activation.__name__, layer.recurrent_activation.__name__
    plain = names == ("tanh", "sigmoid") and not layer.stateful
    return plain and layer.dtype_policy.name == "float32" and (kind == "LSTM" or bool(layer.cell.reset_after))


class _Loop:
    """Takes the place of `layer.inner_loop`: (last output, all outputs, last states)."""

    def __init__(self, layer: Any) -> None:
        self.layer, self.keras_loop = layer, layer.inner_loop

    def __call__(self, sequences: Any, initial_state: Any, mask: Any = None, training: bool = False) -> Any:
        import torch

        if mask is not None or training:
            return self.keras_loop(sequences, initial_state, mask=mask, training=training)
        states = list(initial_state) if isinstance(initial_state, list | tuple) else [initial_state]
        x = torch.flip(sequences, [1]) if self.layer.go_backwards else sequences
        first = [state.unsqueeze(0) for state in states]
        weights = self._weights()
        flags = (len(weights) == 4, 1, 0.0, False, False, True)  # biases, layers, …, batch first
        if len(states) == 2:
            outputs, *last = torch.lstm(x, first, weights, *flags)
        else:
            outputs, *last = torch.gru(x, first[0], weights, *flags)
        return outputs[:, outputs.shape[1] - 1], outputs, [state[0] for state in last]

    def _weights(self) -> list[Any]:
        """PyTorch's order: gates as rows; a GRU's are reset, update, new, Keras' are update, reset, new."""
        import torch

        cell = self.layer.cell
        kernel, recurrent = cell.kernel.value.T, cell.recurrent_kernel.value.T
        biases: list[Any] = []
        if cell.use_bias:
            bias = cell.bias.value
            biases = [bias[0], bias[1]] if bias.ndim == 2 else [bias, torch.zeros_like(bias)]
        weights = [kernel, recurrent, *biases]
        if type(self.layer).__name__ == "LSTM":
            return weights
        return [torch.cat([part.chunk(3)[gate] for gate in (1, 0, 2)]) for part in weights]
