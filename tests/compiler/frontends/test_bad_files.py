"""Files that are no models, or not of the framework that was named: refused in words, whatever is in them."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from neo_magics.capture import capture  # noqa: E402
from neo_magics.errors import InputError, NeoMagicsError, UnsafeArchiveError  # noqa: E402
from tests.capture.networks import Branch  # noqa: E402
from tests.compiler.frontends.oracle import imported  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the frameworks' own, about formats
SHAPE = '{"x": [2, 4]}'
FILES = {
    "model.pt2": "PYTORCH",
    "model.pth": "PYTORCH",
    "model.onnx": "ONNX",
    "model.keras": "KERAS",
    "model.h5": "KERAS",
}
WORDS = {"PYTORCH": "pth", "ONNX": "onnx", "KERAS": "h5", "TENSORFLOW": "pb"}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole model of each kind."""
    folder = tmp_path_factory.mktemp("good")
    linear = torch.nn.Linear(4, 3)
    capture(linear, inputs={"input": torch.ones(2, 4)}).unpack_into(folder, extras=False)
    torch.jit.save(torch.jit.script(Branch()), folder / "model.pth")
    x, y = (onnx.helper.make_tensor_value_info(name, 1, [2, 4]) for name in "xy")
    weight = onnx.numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    onnx.save(
        onnx.helper.make_model(onnx.helper.make_graph([node], "g", [x], [y], [weight])), folder / "model.onnx"
    )
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3)])
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    return folder


@pytest.mark.parametrize("framework", WORDS)
def test_no_file_and_two_files(tmp_path: Path, framework: str) -> None:
    word = WORDS[framework]
    (tmp_path / "notes.md").write_text("hello")
    with pytest.raises(InputError, match=rf"No {word} file found for .* model\. Please make sure") as caught:
        imported(tmp_path, framework)
    assert "notes.md" in caught.value.hint
    for name in ("a", "b"):
        (tmp_path / f"{name}.{word}").write_bytes(b"x")
    with pytest.raises(InputError, match=rf"Found 2 {word} files for .* model: a\.{word}, b\.{word}"):
        imported(tmp_path, framework)


def test_what_macos_puts_beside_a_file_is_none(good: Path, tmp_path: Path) -> None:
    """Its tar packs ._model.onnx with model.onnx: two files, it said."""
    (tmp_path / "model.onnx").write_bytes((good / "model.onnx").read_bytes())
    (tmp_path / "._model.onnx").write_bytes(b"\x00\x05\x16\x07")
    assert [spec.name for spec in imported(tmp_path, "ONNX").inputs] == ["x"]


@pytest.mark.parametrize("name", FILES)
def test_another_framework_s_file(good: Path, tmp_path: Path, name: str) -> None:
    """Under its own name, and under the name that the framework wants."""
    (tmp_path / name).write_bytes((good / name).read_bytes())
    own = {FILES[name], "KERAS"} if name == "model.pt2" else {FILES[name]}  # Keras' own code exports such too
    for framework in sorted({"PYTORCH", "ONNX", "KERAS"} - own):
        with pytest.raises(InputError, match="Please make sure the framework you select is correct"):
            imported(tmp_path, framework)
        folder = tmp_path / framework
        folder.mkdir()
        (folder / f"model.{WORDS[framework]}").write_bytes((good / name).read_bytes())
        with pytest.raises(NeoMagicsError):
            imported(folder, framework, SHAPE)


@pytest.mark.parametrize("name", FILES)
def test_truncated_and_encrypted(good: Path, tmp_path: Path, name: str) -> None:
    for content in broken((good / name).read_bytes()):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError) as caught:
            imported(tmp_path, FILES[name], SHAPE)
        assert caught.value.hint


def broken(content: bytes) -> Iterator[bytes]:
    """The file cut at several places, filled with other bytes, and as an encrypted zip."""
    yield b""
    for share in (0.2, 0.6, 0.95):
        yield content[: int(len(content) * share)]
    yield bytes(len(content))
    if content[:2] == b"PK":
        yield encrypted(content)


def encrypted(archive: bytes) -> bytes:
    """`archive` with every entry said to be encrypted: the flag's bit in both of its headers."""
    data = bytearray(archive)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            (flags,) = struct.unpack_from("<H", data, place + offset)
            struct.pack_into("<H", data, place + offset, flags | 1)
            place = data.find(signature, place + 4)
    return bytes(data)


@pytest.mark.parametrize("name", ["model.pt2", "model.pth", "model.keras"])
def test_a_zip_that_would_fill_the_memory(good: Path, tmp_path: Path, name: str) -> None:
    """A member of the right name, a few kilobytes in the file, that says it expands to terabytes."""
    path = tmp_path / name
    with zipfile.ZipFile(good / name) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            target.writestr(member, source.read(member))
    content = bytearray(path.read_bytes())
    for place in _entries(content):
        struct.pack_into("<I", content, place + 24, 0xFFFFFFFE)  # the size of each, as the directory says it
    path.write_bytes(content)
    with pytest.raises(UnsafeArchiveError, match=rf"{name} has 0\.\d MB and would expand to") as caught:
        imported(tmp_path, FILES[name], SHAPE)
    assert "Save the model again" in caught.value.hint


def _entries(archive: bytes) -> Iterator[int]:
    place = archive.find(b"PK\x01\x02")
    while place >= 0:
        yield place
        place = archive.find(b"PK\x01\x02", place + 4)


def test_an_array_that_was_never_written(good: Path, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "model.h5"
    path.write_bytes((good / "model.h5").read_bytes())
    with h5py.File(path, "a") as file:
        file.create_dataset("model_weights/more", shape=(1 << 22, 1 << 22), dtype="f4", chunks=(1024, 1024))
    with pytest.raises(UnsafeArchiveError, match=r"model\.h5 has .* would expand to 67,108,864 MB"):
        imported(tmp_path, "KERAS")
