"""CompilerOptions: Neo's keys (dtype, mcpu, mattr) and our own, read strictly."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from neo_magics.api.literal import parse_literal
from neo_magics.errors import ApiError

# Neo's names for the dtype of a model's inputs, and NumPy's.
_DTYPES = {
    "float": "float32", "float32": "float32", "float64": "float64", "double": "float64", "float16": "float16",
    "long": "int64", "int64": "int64", "int": "int32", "int32": "int32", "int16": "int16", "int8": "int8",
    "uint8": "uint8", "bool": "bool",
}  # fmt: skip

# What products may be computed in, by the names that people use for it.
PRECISIONS = {"float32": "float32", "bfloat16": "bfloat16", "bf16": "bfloat16", "int8": "int8"}

# What users may ask for as the dtype: a precision of the arithmetic, or the type of the inputs.
DTYPES: Mapping[str, str] = MappingProxyType(
    {
        "bf16": "computed in bfloat16",
        "int8": "computed in bytes, after calibration",
        **{
            name: f"inputs are {name}"
            for name in ("float32", "float64", "float16", "int64", "int32", "int16", "uint8", "bool")
        },
    }
)

# Keys that Neo knows for targets that are not compiled for here.
_FOREIGN = {
    "gpu-code": "NVIDIA", "gpu_code": "NVIDIA", "trt-ver": "NVIDIA", "cuda-ver": "NVIDIA",
    "JETPACK_VERSION": "NVIDIA", "ANDROID_PLATFORM": "Android", "class_labels": "Core ML",
    "signature_def_key": "ml_eia2", "output_names": "ml_eia2",
}  # fmt: skip


@dataclass(frozen=True)
class CompilerOptions:
    """The options of one compilation.

    `dtype` of the inputs in NumPy's name, None where the model says it. `mcpu` and `mattr` override the
    device's; `mcpu="native"` is the CPU of the machine the service runs on. `tolerance` is the largest
    accepted difference to the source model, None for the default. `threads` bounds the compiler's and the
    verification's threads. `tune` are seconds to spend on timing candidates for kernels. `precision` is the
    dtype that products are computed in where the target is faster in it: "float32", "bfloat16" or "int8";
    inputs and outputs stay as they are.
    """

    dtype: str | None = None
    mcpu: str = ""
    mattr: tuple[str, ...] = ()
    tolerance: float | None = None
    trust_pickle: bool = False
    strict: bool = False
    cache: bool = True
    threads: int | None = None
    tune: float = 0.0
    raw: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"


def parse(text: str | None) -> CompilerOptions:
    """The options of a CompilerOptions text (JSON or a Python literal); none for None or "".

    Raises ApiError ValidationException that lists everything that is wrong.
    """
    problems, options = read(text)
    if problems:
        raise ApiError("ValidationException", "CompilerOptions: " + "; ".join(problems) + ".")
    return options


def read(text: str | None) -> tuple[list[str], CompilerOptions]:
    """All problems of a CompilerOptions text, and its options (the defaults if there is a problem)."""
    if not text:
        return [], CompilerOptions()
    try:
        raw = parse_literal(text)
    except ValueError as error:
        return [f"CompilerOptions must be a JSON object, and {error}"], CompilerOptions()
    if not isinstance(raw, Mapping):
        what = f"CompilerOptions must be a JSON object, got {type(raw).__name__}"
        return [what], CompilerOptions()
    return _members(dict(raw))


def _members(raw: dict[Any, Any]) -> tuple[list[str], CompilerOptions]:
    problems: list[str] = []
    values: dict[str, Any] = {}
    for key, value in raw.items():
        reader = _READERS.get(key)
        if reader is None:
            problems.append(_unknown(key))
            continue
        try:
            values[reader[0]] = reader[1](value)
        except ValueError as error:
            problems.append(f"'{key}' must be {error}, got {value!r}")
    return problems, CompilerOptions() if problems else CompilerOptions(**values, raw=raw)


def _unknown(key: Any) -> str:
    if key in _FOREIGN:
        return f"'{key}' is an option of {_FOREIGN[key]} targets, which are not compiled for here"
    close = difflib.get_close_matches(str(key).lower(), _READERS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(_READERS)}"
    return f"'{key}' is not a compiler option; {hint}"


def _dtype(value: Any) -> str:
    if isinstance(value, str) and value in _DTYPES:
        return _DTYPES[value]
    raise ValueError(f"one of {', '.join(_DTYPES)}")


def _precision(value: Any) -> str:
    if isinstance(value, str) and value in PRECISIONS:
        return PRECISIONS[value]
    raise ValueError(f"one of {', '.join(PRECISIONS)}")


def _mcpu(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][\w.+-]*", value, re.ASCII):
        return value
    raise ValueError("the name of a CPU, such as 'cortex-a72' or 'native'")


def _mattr(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if isinstance(items, list | tuple) and all(
        isinstance(item, str) and re.fullmatch(r"[+-][a-z0-9][\w.-]*", item, re.ASCII) for item in items
    ):
        return tuple(items)
    raise ValueError("a list of CPU flags, such as ['+neon']")


def _tolerance(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 < value <= 1e300 and math.isfinite(value):
        return float(value)
    raise ValueError("a positive number")


def _seconds(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and 0 <= value <= 86_400:
        return float(value)
    raise ValueError("a number of seconds, at most a day")


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _negated(value: Any) -> bool:
    return not _flag(value)


def _threads(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1024:
        return value
    raise ValueError("a whole number from 1 to 1024")


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "dtype": ("dtype", _dtype),
    "mcpu": ("mcpu", _mcpu),
    "mattr": ("mattr", _mattr),
    "tolerance": ("tolerance", _tolerance),
    "trust-pickle": ("trust_pickle", _flag),
    "strict": ("strict", _flag),
    "no-cache": ("cache", _negated),
    "threads": ("threads", _threads),
    "tune": ("tune", _seconds),
    "precision": ("precision", _precision),
}
