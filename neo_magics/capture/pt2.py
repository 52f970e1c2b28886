"""Reading and writing `.pt2`, the file of torch.export: reading runs nothing, writing is deterministic.

`torch.export.load` alone must not be given a file of unknown origin: it falls back to a full unpickle for
sample inputs and some constants, evaluates shape expressions with sympy, resolves operator names by
attribute lookup from the `torch` module, and opens native libraries in the archive. `load_pt2` looks at
every part with the same zip reader first and refuses what could run code.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neo_magics.capture.expansion import check_zip
from neo_magics.capture.quiet import quiet_torch
from neo_magics.errors import InputError, UntrustedPickleError

_TRUST = "If you trust where it comes from, allow it with --trust-pickle; otherwise export the model again."
_TARGET = re.compile(r"torch\.ops\.(aten|prims|higher_order|torchvision|quantized\w*)\.\w+(\.\w+)?$")
_SYMBOLIC = re.compile(r"(_operator|math)\.\w+$|torch\.(_?sym_\w+)$|torch\._higher_order_ops(\.\w+)*\.\w+$")
_FILE_OPERATORS = re.compile(r"torch\.ops\.aten\.(from_file|save|load)\b")
_SYMPY_WORDS = re.compile(
    "Symbol|Integer|Float|Rational|Half|precision|Infinity|NegativeInfinity|Equality|Unequality|LessThan|"
    "StrictLessThan|GreaterThan|StrictGreaterThan|ITE|true|false|positive|negative|nonnegative|integer|"
    "zero|nonzero|real|finite|True|False|oo|int_oo|And|Or|Not|Eq|Ne|Lt|Le|Gt|Ge|Max|Min|Mod|Abs|Pow|Add|"
    "Mul|Piecewise|Where|FloorDiv|CleanDiv|CeilDiv|PythonMod|ModularIndexing|CeilToInt|FloorToInt|"
    "RoundToInt|TruncToInt|TruncToFloat|ToFloat|IntTrueDiv|FloatTrueDiv|FloatPow|PowByNatural|LShift|"
    "RShift|Identity|IsNonOverlappingAndDenseIndicator"
)
_SYMPY_SYMBOL = re.compile(r"[suzfb]+\d+")
_TREE_TYPES = frozenset(
    {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", "torch.Size"}
)


def save_pt2(program: Any) -> bytes:
    """`program` (an ExportedProgram) as the bytes of a .pt2 without example inputs or source paths.

    The same program gives the same bytes. The program's nodes lose their stack traces, which hold
    paths of the user's machine and cell numbers.
    """
    import torch

    for module in program.graph_module.modules():
        for node in getattr(module, "graph", _NoGraph).nodes:
            node.meta.pop("stack_trace", None)
    program._example_inputs = None
    buffer = io.BytesIO()  # with a path, the path's stem would be in the bytes
    with quiet_torch():
        torch.export.save(program, buffer)
    return buffer.getvalue()


def load_pt2(path: Path, *, trust_pickle: bool = False) -> Any:
    """The ExportedProgram in `path`, on the CPU.

    Raises `InputError` for a file that is not a whole .pt2 and `UntrustedPickleError` for one that could
    run code while it is read, unless `trust_pickle`.
    """
    import torch

    check_zip(path)
    try:
        reader = torch._C.PyTorchFileReader(str(path))
        if not trust_pickle:
            _check(reader, path)
        with quiet_torch():
            program = torch.export.load(io.BytesIO(path.read_bytes()))
    except InputError:
        raise
    except Exception as error:  # torch raises whatever its parsers raise
        raise InputError(
            f"{path.name} is not a program of torch.export that can be read: {_first_line(error)}",
            hint="It may be cut short, or made by a newer torch. Save it again with torch.export.save.",
        ) from error
    program._guards_code = []  # Python source in the file; the shapes are checked without it
    return program


def _check(reader: Any, path: Path) -> None:
    names = set(reader.get_all_records())
    if "archive_format" not in names or reader.get_record("archive_format") != b"pt2":
        raise _untrusted(path, "it has the layout of torch before 2.8")
    for name in sorted(names):
        _check_record(reader, name, path)


def _check_record(reader: Any, name: str, path: Path) -> None:
    if name.startswith("data/aotinductor/") or name.endswith((".so", ".o", ".cubin")):
        raise _untrusted(path, f"it holds native code ({name})")
    if name.startswith("data/sample_inputs/") and reader.get_record_size(name):
        _check_tensors(reader.get_record(name), name, path)
    if re.fullmatch(r"data/(weights|constants)/[^/]*\.pt", name):
        raise _untrusted(path, f"its weights are pickled ({name})")
    if re.fullmatch(r"data/(weights|constants)/.*_config\.json", name):
        _check_payloads(json.loads(reader.get_record(name)), name, path)
    if name.startswith("models/"):
        _check_model(json.loads(reader.get_record(name)), path)


def _check_tensors(data: bytes, name: str, path: Path) -> None:
    """torch.export.load unpickles freely where this reader refuses, so it must not refuse."""
    import pickle

    import torch

    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise _untrusted(path, f"{name} is a pickle that is more than tensors") from error


def _check_payloads(config: Any, name: str, path: Path) -> None:
    for key, payload in config["config"].items():
        if payload.get("use_pickle") or not re.match(r"(weight|tensor)_\d+$", payload["path_name"]):
            raise _untrusted(path, f"{key} in {name} is a pickle")


def _check_model(model: Any, path: Path) -> None:
    for key, value in _texts(model, ""):
        if key == "target" and not _known_target(value):
            raise _untrusted(path, f"it calls {value!r}, which is no tensor operator")
        if key in ("expr_str", "key") and not _known_expression(value):
            raise _untrusted(path, f"it has the shape expression {value!r}")
        if key in ("in_spec", "out_spec") and value:
            _check_tree(json.loads(value)[1], path)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        if key == "range_constraints":
            yield from (("key", name) for name in value)
        for name, part in value.items():
            yield from _texts(part, name)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, key)


def _known_target(target: str) -> bool:
    if _FILE_OPERATORS.match(target):
        return False
    return bool(_TARGET.match(target) or _SYMBOLIC.match(target)) or "." not in target


def _known_expression(text: str) -> bool:
    """Only names that sympy's own arithmetic needs, and no attribute of anything."""
    if re.search(r"[^\w\s()+\-*/,=<>'!&|~.]|[A-Za-z_)'\]]\s*\.|__", text):
        return False
    words = re.findall(r"[A-Za-z_]\w*", text)
    return all(_SYMPY_WORDS.fullmatch(word) or _SYMPY_SYMBOL.fullmatch(word) for word in words)


def _check_tree(spec: Any, path: Path) -> None:
    if spec["type"] not in _TREE_TYPES or "__enum__" in str(spec["context"]):
        raise InputError(
            f"{path.name} takes or returns a {spec['type']}, which only the code that made it can build.",
            hint="Export a module whose forward takes and returns tensors, tuples and dicts.",
        )
    for child in spec["children_spec"]:
        _check_tree(child, path)


def plain_tree(spec: Any) -> bool:
    """Whether `spec` (a TreeSpec) has only tuples, lists and dicts, which any reader can build."""
    kind = spec.type
    name = None if kind is None else f"{kind.__module__}.{kind.__qualname__}"
    return name in _TREE_TYPES and all(plain_tree(child) for child in spec.children())


def _untrusted(path: Path, why: str) -> UntrustedPickleError:
    return UntrustedPickleError(f"Reading {path.name} could run code: {why}.", hint=_TRUST)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


class _NoGraph:
    nodes: tuple[Any, ...] = ()
