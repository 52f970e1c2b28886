"""MXNet's two files, written by hand as MXNet 1.x writes them."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def write(
    folder: Path, nodes: Sequence[tuple[str, str, Sequence[int], Mapping[str, Any]]],
    params: Mapping[str, Any], heads: Sequence[tuple[int, int]],
) -> Path:  # fmt: skip
    """`nodes` are (operator, name, places of the inputs, options); "null" stands for a variable."""
    listed = [
        {
            "op": operator,
            "name": name,
            "attrs": {key: str(value) for key, value in options.items()},
            "inputs": [[place, 0, 0] for place in inputs],
        }
        for operator, name, inputs, options in nodes
    ]
    body = {
        "nodes": listed,
        "heads": [[*head, 0] for head in heads],
        "attrs": {"mxnet_version": ["int", 10901]},
    }
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(body))
    (folder / "net-0000.params").write_bytes(_params(params))
    return path


def _params(params: Mapping[str, Any]) -> bytes:
    parts = [struct.pack("<QQQ", 0x112, 0, len(params))]
    for value in params.values():
        array = np.asarray(value, "<f4")
        sizes = struct.pack(f"<{array.ndim}q", *array.shape)
        parts += [struct.pack("<IiI", 0xF993FAC9, 0, array.ndim), sizes, struct.pack("<iii", 1, 0, 0)]
        parts.append(array.tobytes())
    parts.append(struct.pack("<Q", len(params)))
    for name in params:
        text = f"arg:{name}".encode()
        parts.append(struct.pack("<Q", len(text)) + text)
    return b"".join(parts)
