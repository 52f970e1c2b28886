"""The source model, run as its users run it, under the names that the compiled model has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neo_magics.capture import capture
from neo_magics.capture.source import open_source
from neo_magics.errors import InputError, UntrustedPickleError
from tests.capture.networks import Branch, Reader, Residual, TwoInputs, seeded
from tests.capture.onnx_models import perceptron, save_apart

pytestmark = pytest.mark.filterwarnings(r"ignore:.*torch\.jit\.:DeprecationWarning")


def test_an_exported_program_runs_with_its_names(tmp_path: Path) -> None:
    model, image = seeded(Residual), torch.ones(2, 1, 8, 8)
    capture(model, inputs=image).unpack_into(tmp_path)
    source = open_source(tmp_path, "PYTORCH", threads=1)
    assert [(s.name, s.shape, s.dtype) for s in source.input_specs] == [("image", (2, 1, 8, 8), "float32")]
    outputs = source.run({"image": image.numpy()})
    np.testing.assert_allclose(outputs["output0"], model(image).detach().numpy(), atol=1e-6)
    assert source.versions == {"torch": str(torch.__version__)}


def test_a_free_batch_runs_at_any_size(tmp_path: Path) -> None:
    capture(seeded(Residual), input_shape='{"image": [null, 1, 8, 8]}').unpack_into(tmp_path)
    source = open_source(tmp_path, "PYTORCH")
    assert source.input_specs[0].shape == ("batch", 1, 8, 8)
    for size in (1, 3):
        assert source.run({"image": np.ones((size, 1, 8, 8), np.float32)})["output0"].shape == (size, 10)


def test_outputs_have_the_dict_s_keys(tmp_path: Path) -> None:
    capture(seeded(Reader), inputs=torch.tensor([[1, 2]])).unpack_into(tmp_path)
    outputs = open_source(tmp_path, "PYTORCH").run({"ids": np.array([[3, 4]])})
    assert list(outputs) == ["logits", "states"]


def test_torchscript_takes_inputs_by_name_or_by_position(tmp_path: Path) -> None:
    capture(torch.jit.script(seeded(TwoInputs)), inputs=(torch.ones(1, 4), torch.ones(1, 5))).unpack_into(
        tmp_path
    )
    source = open_source(tmp_path, "PYTORCH")
    a, b = np.ones((1, 4), np.float32), np.ones((1, 5), np.float32)
    named = source.run({"b": b, "a": a})
    placed = source.run({"input0": a, "input1": b})
    assert list(named) == ["output0", "output1"]
    assert (named["output0"] == placed["output0"]).all()


def test_control_flow_of_torchscript_is_kept(tmp_path: Path) -> None:
    capture(torch.jit.script(Branch()), inputs=torch.ones(2)).unpack_into(tmp_path)
    source = open_source(tmp_path, "PYTORCH")
    assert source.run({"x": np.float32([1, 1])})["output0"].tolist() == [2, 2]
    assert source.run({"x": np.float32([-1, -1])})["output0"].tolist() == [1, 1]


def test_a_pickled_module_runs_only_with_trust(tmp_path: Path) -> None:
    torch.save(seeded(Residual), tmp_path / "model.pth")
    with pytest.raises(UntrustedPickleError):
        open_source(tmp_path, "PYTORCH")
    source = open_source(tmp_path, "PYTORCH", trust_pickle=True)
    assert source.run({"image": np.ones((1, 1, 8, 8), np.float32)})["output0"].shape == (1, 10)


@pytest.mark.parametrize("apart", [False, True])
def test_onnx_runs_in_onnx_runtime_with_the_user_s_names(tmp_path: Path, apart: bool) -> None:
    if apart:
        save_apart(perceptron("batch"), tmp_path / "model.onnx")
    else:
        capture(perceptron("batch"), inputs=np.ones((2, 4))).unpack_into(tmp_path)
    source = open_source(tmp_path, "ONNX", threads=1)
    assert source.input_specs[0].shape == ("batch", 4)
    outputs = source.run({"x": np.ones((3, 4), np.float32)})
    assert list(outputs) == ["scores/out"]
    assert outputs["scores/out"].shape == (3, 3)
    assert "onnxruntime" in source.versions


@pytest.mark.parametrize("framework", ["PYTORCH", "ONNX"])
def test_a_folder_without_a_model_file_has_neo_s_wording(tmp_path: Path, framework: str) -> None:
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(InputError, match="Please make sure the framework you select is correct") as caught:
        open_source(tmp_path, framework)
    assert "readme.txt" in caught.value.hint


def test_two_models_in_one_archive(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InputError, match=r"Found 2 onnx files for ONNX model: a\.onnx, b\.onnx"):
        open_source(tmp_path, "ONNX")


def test_a_framework_that_is_not_supported_yet(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CAFFE models are not yet supported locally"):
        open_source(tmp_path, "CAFFE")
