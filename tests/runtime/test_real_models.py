"""Artifacts of real networks, compiled from PyTorch and ONNX, do what their sources do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from neo_magics.api.compiler_options import parse
from neo_magics.api.devices import resolve
from neo_magics.api.input_config import parse as parse_shapes
from neo_magics.artifact.archive import pack
from neo_magics.capture.registry import capture
from neo_magics.compiler.pipeline import CompileRequest, compile_model
from neo_magics.errors import RuntimeInputError
from neo_magics.runtime import DLRModel, load
from neo_magics.runtime.verify import verify
from tests.runtime.build import HERE
from tests.runtime.conftest import run_source


def network() -> torch.nn.Module:
    """A small residual network with two inputs and two outputs."""

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, 16, 3, padding=1)
            self.norm = torch.nn.BatchNorm2d(16)
            self.second = torch.nn.Conv2d(16, 16, 3, padding=1)
            self.head = torch.nn.Linear(16, 5)

        def forward(self, image: torch.Tensor, shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            first = torch.relu(self.norm(self.first(image)))
            features = (torch.relu(self.second(first)) + first).mean((2, 3)) + shift
            return self.head(features).softmax(-1), features

    torch.manual_seed(0)
    return Net().eval()


def compile_network(root: Path, options: str | None) -> Path:
    """`network` for any number of images, compiled with these CompilerOptions: the artifact's folder."""
    shapes = {"image": [None, 3, 12, 12], "shift": [None, 16]}
    examples = {"image": torch.randn(2, 3, 12, 12), "shift": torch.randn(2, 16)}
    model = capture(network(), inputs=examples, input_shape=shapes)
    source, out = root / "source", root / "out"
    model.unpack_into(source)
    out.mkdir()
    config = parse_shapes(model.data_input_config)
    compile_model(
        CompileRequest(source, "PYTORCH", config, resolve(HERE), parse(options), out), lambda _event: None
    )
    return out


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`network` for any number of images, as a .tar.gz."""
    root = tmp_path_factory.mktemp("residual")
    pack(compile_network(root, None), root / "residual.tar.gz")
    return root / "residual.tar.gz"


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_a_torch_network_with_a_free_batch(compiled, rows):
    torch.manual_seed(rows)
    image, shift = torch.randn(rows, 3, 12, 12), torch.randn(rows, 16)
    with torch.inference_mode():
        expected = network()(image, shift)
    results = load(compiled)(image, shift)
    assert isinstance(results, tuple)
    for result, wanted in zip(results, expected, strict=True):
        torch.testing.assert_close(result, wanted, rtol=1e-4, atol=1e-5)


def test_its_free_batch_is_one_number(compiled):
    with pytest.raises(RuntimeInputError, match="is 2 in 'image' and 3 here"):
        load(compiled)(image=np.zeros((2, 3, 12, 12), "f4"), shift=np.zeros((3, 16), "f4"))


def test_code_for_dlr_runs_it(compiled):
    outputs = DLRModel(compiled).run({"image": np.zeros((1, 3, 12, 12)), "shift": np.zeros((1, 16))})
    assert [output.shape for output in outputs] == [(1, 5), (1, 16)]
    assert outputs[0].sum() == pytest.approx(1, abs=1e-5)


def test_the_onnx_digits_pass_verification(digits, digits_source):
    image = np.random.default_rng(1).random((1, 1, 8, 8), dtype="float32")
    assert verify(digits, {"image": image}, run_source(digits_source, {"image": image})).seconds >= 0
