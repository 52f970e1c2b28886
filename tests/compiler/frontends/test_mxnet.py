"""MXNet models without MXNet: tests/data/mxnet has inputs and outputs of MXNet 1.9.1 itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neo_magics.capture import capture
from neo_magics.capture.mxnet_file import read_params
from neo_magics.capture.source import open_source
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError
from tests.compiler.frontends.oracle import agrees, imported

FILES = Path(__file__).parents[2] / "data" / "mxnet"


def stored(name: str, kind: str) -> dict[str, np.ndarray]:
    with np.load(FILES / f"{name}.npz") as arrays:
        return {key.removeprefix(kind): arrays[key] for key in arrays.files if key.startswith(kind)}


@pytest.mark.parametrize("name", ["cnn", "attention"])
def test_equal_to_mxnet_itself(name: str, tmp_path: Path) -> None:
    inputs, expected = stored(name, "in_"), stored(name, "out_")
    result = agrees(FILES / f"{name}-symbol.json", inputs)
    assert [spec.name for spec in result.outputs] == list(expected)
    assert result.framework_version == "1.9.1"
    for path in FILES.glob(f"{name}-*"):
        shutil.copy(path, tmp_path)
    got = open_source(tmp_path, "MXNET").run(inputs)
    for output, value in expected.items():
        np.testing.assert_allclose(got[output], value, atol=1e-6)


def test_a_free_batch() -> None:
    image = np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype("float32")
    result = agrees(FILES / "cnn-0000.params", input_shape={"data": [None, 3, 16, 16]}, feeds={"data": image})
    assert result.inputs[0].shape == ("batch", 3, 16, 16)


class TestBadInput:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for path in FILES.glob("cnn-*"):
            shutil.copy(path, tmp_path)
        return tmp_path

    def test_shapes_are_needed(self, folder: Path) -> None:
        with pytest.raises(CaptureError, match="input 'data' is not known: MXNet's files do not say it"):
            capture(folder / "cnn-symbol.json")

    def test_unknown_operators_come_at_once(self, folder: Path) -> None:
        path = folder / "cnn-symbol.json"
        text = path.read_text().replace('"op": "Deconvolution"', '"op": "Proposal"')
        path.write_text(text.replace('"act_type": "prelu"', '"act_type": "rrelu"'))
        with pytest.raises(
            UnsupportedOperatorsError, match=r"LeakyReLU with act_type=rrelu in p1; Proposal in d1"
        ):
            imported(folder, "MXNET", '{"data": [1, 3, 16, 16]}')

    @pytest.mark.parametrize("size", [0, 8, 30, 100, 5000])
    def test_parameters_that_are_cut_short(self, folder: Path, size: int) -> None:
        path = folder / "cnn-0000.params"
        path.write_bytes(path.read_bytes()[:size])
        with pytest.raises(InputError, match=r"cnn-0000\.params is not a file of MXNet's parameters"):
            read_params(path)

    def test_weights_that_are_not_numbers(self, folder: Path) -> None:
        path = folder / "cnn-0000.params"
        content = path.read_bytes()
        path.write_bytes(content[:100] + b"\xff\xff\xff\x7f" * 4 + content[116:])
        with pytest.raises(InputError, match=r"not finite|cut short|damaged|unknown type"):
            read_params(path)

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"nodes": [], "heads": []}', '{"nodes": [3], "heads": [[0]]}']
    )
    def test_a_symbol_that_is_none(self, folder: Path, text: str) -> None:
        (folder / "cnn-symbol.json").write_text(text)
        with pytest.raises(InputError, match=r"cnn-symbol\.json (is not a symbol|names nodes)"):
            imported(folder, "MXNET", '{"data": [1, 3, 16, 16]}')

    def test_both_files_are_needed(self, folder: Path) -> None:
        (folder / "cnn-symbol.json").unlink()
        with pytest.raises(
            InputError, match=r"No -symbol\.json file found for MXNet model\. Please make sure"
        ):
            imported(folder, "MXNET")
        with pytest.raises(CaptureError, match="needs a file beside it"):
            capture(folder / "cnn-0000.params")

    def test_old_attributes_are_read(self, folder: Path) -> None:
        path = folder / "cnn-symbol.json"
        body = json.loads(path.read_text())
        for node in body["nodes"]:
            node["param"] = node.pop("attrs", {})
            node["inputs"] = [pair[:2] for pair in node["inputs"]]
        path.write_text(json.dumps(body))
        agrees(path, stored("cnn", "in_"))
