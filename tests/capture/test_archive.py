"""The model archive: deterministic bytes, Neo's layout, and example inputs that come back."""

from __future__ import annotations

import tarfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from neo_magics.capture import ModelArchive, read_capture, read_example_inputs
from neo_magics.errors import InputError


def archive(**inputs: np.ndarray) -> ModelArchive:
    return ModelArchive("ONNX", "1.0", "{}", {"model.onnx": b"weights"}, inputs, tuple(inputs), ("output0",))


def test_the_framework_s_file_is_at_the_root_and_ours_are_in_a_folder(tmp_path: Path) -> None:
    archive(x=np.ones(2)).write(tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert tar.getnames() == ["model.onnx", "neo_magics/capture.json", "neo_magics/inputs.npz"]


def test_without_extras_only_neo_s_own_files_are_there(tmp_path: Path) -> None:
    archive(x=np.ones(2)).write(tmp_path / "model.tar.gz", extras=False)
    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert tar.getnames() == ["model.onnx"]


def test_the_same_content_gives_the_same_bytes_and_digest(tmp_path: Path) -> None:
    first = archive(x=np.ones(2)).write(tmp_path / "a.tar.gz")
    second = archive(x=np.ones(2)).write(tmp_path / "b.tar.gz")
    assert first == second
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    assert archive(x=np.zeros(2)).write(tmp_path / "c.tar.gz") != first


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = ModelArchive("ONNX", "1", "{}", {"model.onnx": tmp_path / "missing"}, {}, ())
    with pytest.raises(FileNotFoundError):
        broken.write(tmp_path / "out" / "model.tar.gz")
    assert list((tmp_path / "out").iterdir()) == []


DTYPES = st.sampled_from([np.float32, np.int64, np.bool_, np.uint8, np.float16, ml_dtypes.bfloat16])


@settings(deadline=None, max_examples=30)
@given(dtype=DTYPES, shape=arrays.array_shapes(min_dims=0, max_dims=3, max_side=3), data=st.data())
def test_example_inputs_come_back_with_shape_dtype_and_values(
    dtype: type, shape: tuple, data: st.DataObject
) -> None:
    import tempfile

    values = data.draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, 1))).astype(dtype)
    with tempfile.TemporaryDirectory() as folder:
        archive(**{"a.b": values}).unpack_into(Path(folder))
        found = read_example_inputs(Path(folder))["a.b"]
        assert read_capture(Path(folder))["input_names"] == ["a.b"]
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    assert (found == values).all()


def test_damaged_example_inputs_are_an_input_error(tmp_path: Path) -> None:
    archive(x=np.ones(2)).unpack_into(tmp_path)
    (tmp_path / "neo_magics" / "inputs.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InputError, match=r"inputs\.npz"):
        read_example_inputs(tmp_path)
