"""Keras' files, `.keras` and `.h5`: what they say of a model, read without Keras; loading only what is safe.

A `.keras` file is a zip with the layers as JSON and the weights in HDF5; an `.h5` file has both in one.
Keras itself is told not to load unsafe parts; the checks here come before it, name all of them at once,
and cover what versions of Keras have missed: code in Lambda layers, pickled torch modules, and HDF5 links
to other files.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from neo_magics.capture.expansion import check_datasets, check_zip
from neo_magics.capture.needs import needed
from neo_magics.capture.request import TensorInfo
from neo_magics.errors import InputError, UnsafeArchiveError, UntrustedPickleError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_RUN_CODE = frozenset({"Lambda", "__lambda__", "TorchModuleWrapper"})
_OTHERS = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "tensorflow_keras")


@dataclass(frozen=True)
class KerasFile:
    """The configuration in a file and what it says: inputs (batch first, None free) and outputs by name."""

    config: Mapping[str, Any]
    keras_version: str
    inputs: tuple[TensorInfo, ...]
    output_names: tuple[str, ...]


def describe(path: Path) -> KerasFile:
    """What `path` says of its model; `InputError` for a file that holds none or is cut short."""
    check_zip(path)
    config, version = _read_zip(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
    return KerasFile(config, version, _inputs(config), _outputs(config))


def check_safe(path: Path, file: KerasFile, *, trust: bool) -> None:
    """Refuse, with all places at once, what would run code of the file or read other files."""
    _check_links(path)
    code = [f"{name} in {where or 'the model'}" for name, where in classes(file.config) if name in _RUN_CODE]
    if code and not trust:
        raise UntrustedPickleError(
            f"Loading {path.name} would run code that is stored in it: {', '.join(dict.fromkeys(code))}.",
            hint="If you trust the file, say --trust-pickle; otherwise replace them with layers of Keras.",
        )


def foreign_classes(config: Any) -> dict[str, list[str]]:
    """Classes that are not Keras' own, which only the code that made them can build, and where they are."""
    found: dict[str, list[str]] = {}
    for node, where in _nodes(config, ""):
        module, name = node.get("module"), str(node["class_name"])
        registered = str(node.get("registered_name") or "")
        own = module is None or (str(module).split(".")[0] in ("keras", "tf_keras") and ">" not in registered)
        if not own:
            found.setdefault(registered.rpartition(">")[2] or name, []).append(where)
    return found


def classes(config: Any) -> Iterator[tuple[str, str]]:
    """(class, layer) of every object in a configuration."""
    yield from ((str(node["class_name"]), where) for node, where in _nodes(config, ""))


def reproducible(content: bytes) -> bytes:
    """The same `.keras` without the time of writing, and with small numbers for the addresses of objects."""
    stream = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(stream, "w") as target:
        for name in sorted(source.namelist()):
            member = source.read(name)
            if name == METADATA:
                member = json.dumps({**json.loads(member), "date_saved": ""}, sort_keys=True).encode()
            if name == CONFIG:
                member = _renumbered(member.decode()).encode()
            target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), member)
    return stream.getvalue()


def _renumbered(config: str) -> str:
    numbers: dict[str, str] = {}
    pattern = re.compile(r'("shared_object_id": )(\d+)')
    for found in pattern.finditer(config):
        numbers.setdefault(found[2], str(len(numbers)))
    return pattern.sub(lambda match: match[1] + numbers[match[2]], config)


def _read_zip(path: Path) -> tuple[Any, str]:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read(CONFIG))
            version = str(json.loads(archive.read(METADATA)).get("keras_version", ""))
            archive.getinfo(WEIGHTS)
    except (KeyError, ValueError, OSError, RuntimeError, zipfile.BadZipFile) as error:
        raise _unreadable(path, str(error)) from error
    return config, version


def _read_hdf5(path: Path) -> tuple[Any, str]:
    h5py = needed("h5py", "Keras models", "keras")
    try:
        with h5py.File(path, "r") as file:
            stored, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "")
    except OSError as error:
        raise _unreadable(path, str(error)) from error
    if stored is None:
        raise InputError(
            f"{path.name} holds weights without the layers that they belong to.",
            hint="Save the whole model: model.save('model.keras') in place of save_weights.",
        )
    return json.loads(_text(stored)), _text(version)


def _check_links(path: Path) -> None:
    """HDF5 can point into other files of the machine; no model needs that."""
    h5py = needed("h5py", "Keras models", "keras")
    opened: Any = path
    if zipfile.is_zipfile(path):
        opened = BytesIO(zipfile.ZipFile(path).read(WEIGHTS))
    try:
        with h5py.File(opened, "r") as file:
            check_datasets(path, file)
            outside = list(_members(h5py, file, ""))
    except OSError as error:
        raise _unreadable(path, str(error)) from error
    if outside:
        raise UnsafeArchiveError(
            f"{path.name} reads weights from other files: {', '.join(outside[:5])}.",
            hint="Save the model again with its weights inside.",
        )


def _members(h5py: Any, group: Any, where: str) -> Iterator[str]:
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield where + name
            continue
        if isinstance(link, h5py.SoftLink):
            continue
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _members(h5py, item, f"{where}{name}/")
        elif item.external or item.is_virtual:
            yield where + name


def _nodes(value: Any, where: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    if isinstance(value, Mapping):
        if "class_name" in value and "config" in value:
            config = value["config"]
            name = config.get("name") if isinstance(config, Mapping) else None
            where = str(value.get("name") or name or where)
            yield value, where
        for part in value.values():
            yield from _nodes(part, where)
    elif isinstance(value, list):
        for part in value:
            yield from _nodes(part, where)


def _inputs(config: Mapping[str, Any]) -> tuple[TensorInfo, ...]:
    """From the input layers; empty where the model has none (subclassed, or never built)."""
    body = config.get("config")
    if not isinstance(body, Mapping):
        return ()
    layers = [layer for layer in body.get("layers", []) if isinstance(layer, Mapping)]
    if "input_layers" in body:
        by_name = {layer.get("name") or layer["config"].get("name"): layer for layer in layers}
        names = [name for _key, name in _references(body["input_layers"], "")]
        return tuple(_input(name, by_name[name]["config"]) for name in names if name in by_name)
    if not layers:
        return ()
    first = layers[0]["config"]
    shape = _shape_of(first) or (
        body.get("build_input_shape") or config.get("build_config", {}).get("input_shape")
    )
    if not isinstance(shape, list | tuple):
        return ()
    name = str(first.get("name", "input"))
    is_layer = layers[0].get("class_name") == "InputLayer"
    return (_input(name if is_layer else f"{name}_input", {**first, "batch_shape": shape}),)


def _input(name: str, config: Mapping[str, Any]) -> TensorInfo:
    shape = _shape_of(config) or [None]
    dtype = config.get("dtype") or "float32"
    known = tuple(size if isinstance(size, int) else _free(name, axis) for axis, size in enumerate(shape))
    return TensorInfo(name, known, dtype if isinstance(dtype, str) else "float32")


def _free(name: str, axis: int) -> str:
    return f"{name}_dim{axis}" if axis else "batch"


def _shape_of(config: Mapping[str, Any]) -> Any:
    return config.get("batch_shape") or config.get("batch_input_shape")


def _outputs(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a dict of outputs, else the names of the layers that make them; distinct."""
    body = config.get("config")
    if not isinstance(body, Mapping):
        return ()
    if "output_layers" in body:
        pairs = _references(body["output_layers"], "")
        return _distinct([key or name for key, name in pairs])
    layers = body.get("layers") or []
    return (str(layers[-1]["config"].get("name", "output0")),) if layers else ()


def _distinct(names: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    found = []
    for name in names:
        count = seen[name] = seen.get(name, 0) + 1
        found.append(name if count == 1 else f"{name}_{count - 1}")
    return tuple(found)


def _references(value: Any, key: str) -> list[tuple[str, str]]:
    """(key, layer) of each [layer, node, tensor] in nested lists and dicts, in Keras' order."""
    if isinstance(value, Mapping):
        return [pair for name in sorted(value) for pair in _references(value[name], str(name))]
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        return [(key, value[0])]
    return [pair for part in value for pair in _references(part, key)]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _unreadable(path: Path, why: str) -> InputError:
    return InputError(
        f"{path.name} is not a model of Keras that can be read: {why[:200]}",
        hint="It may be cut short, or hold weights only. Save it again with model.save('model.keras').",
    )
