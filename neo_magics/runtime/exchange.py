"""Arrays by name in a file, between processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neo_magics.errors import UsageError

if TYPE_CHECKING:
    from neo_magics.runtime.arrays import Array

_HEADER = "neo_magics_names"


def save_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays by name; unlike `numpy.savez`, any name will do, and dtypes of ml_dtypes come back."""
    import numpy as np

    names = [[name, str(array.dtype), list(array.shape)] for name, array in arrays.items()]
    parts: dict[str, Any] = {_HEADER: np.frombuffer(json.dumps(names).encode(), np.uint8)}
    for index, array in enumerate(arrays.values()):
        parts[f"array{index}"] = np.asarray(array, order="C").reshape(-1).view(np.uint8)
    np.savez(path, **parts)


def load_arrays(path: Path) -> dict[str, Array]:
    """The arrays of a file of `save_arrays`, or of a plain .npz, in order. Pickles are never loaded.

    Raises `UsageError` where the file is missing or is no .npz.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return _ours(file) if _HEADER in file.files else {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.", hint="Write it with numpy.savez(path, x=x).") from error
    except (OSError, ValueError, AttributeError, TypeError, EOFError) as error:
        raise UsageError(
            f"{path} is not an .npz file of arrays.", hint="Write it with numpy.savez(path, x=x)."
        ) from error


def _ours(file: Any) -> dict[str, Array]:
    from neo_magics.runtime.arrays import numpy_dtype

    names = json.loads(file[_HEADER].tobytes())
    return {
        name: file[f"array{index}"].view(numpy_dtype(dtype)).reshape(shape)
        for index, (name, dtype, shape) in enumerate(names)
    }
