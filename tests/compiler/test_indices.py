"""Indices beyond the tensor that they pick from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import parser
from torch import nn

from neo_magics.api import devices, input_config
from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.capture import capture
from neo_magics.compiler.pipeline import CompileRequest, compile_model
from neo_magics.runtime import load
from tests.compiler.test_model_zoo import Made, compiled


def test_tokens_beyond_the_table_read_its_last_row(tmp_path: Path) -> None:
    """PyTorch raises an error; plain TVM read outside of the table, and the process ended."""
    model = Made(lambda m, ids: m.table(ids) * 2, table=nn.Embedding(7, 4))
    run = compiled(model, (torch.tensor([[0, 6, 3]]),), tmp_path)
    table = model.table.weight.detach().numpy() * 2
    np.testing.assert_allclose(run(np.array([[0, 6, 3]])), table[None, [0, 6, 3]])
    np.testing.assert_allclose(run(np.array([[10**9, 2, -(10**9)]])), table[None, [6, 2, 0]])


def test_tokens_keep_their_64_bits(tmp_path: Path) -> None:
    """Cut to 32 bits, 2³² + 1 would silently read row 1."""
    model = Made(lambda m, ids: m.table(ids), table=nn.Embedding(7, 4))
    run = compiled(model, (torch.tensor([[0, 6, 3]]),), tmp_path)
    table = model.table.weight.detach().numpy()
    np.testing.assert_allclose(run(np.array([[2**32 + 1, 2, -(2**32)]])), table[None, [6, 2, 0]])


def test_places_beyond_a_tensor_are_not_read_or_written(tmp_path: Path) -> None:
    def picked(_module: nn.Module, x: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = torch.arange(2)[:, None].expand(2, 2)
        return x.gather(1, at), x.scatter(1, at, x[:, :2] + 9), x.index_put((rows, at), x[:, :2] + 9)

    x, inside = torch.arange(8.0).reshape(2, 4), torch.tensor([[3, 0], [1, 2]])
    run = compiled(Made(picked), (x, inside), tmp_path)
    for got, expected in zip(run(x.numpy(), inside.numpy()), picked(nn.Module(), x, inside), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())
    beyond, last = np.array([[10**12, 0], [1, 2]]), torch.tensor([[3, 0], [1, 2]])
    for got, expected in zip(run(x.numpy(), beyond), picked(nn.Module(), x, last), strict=True):
        np.testing.assert_array_equal(got, expected.numpy())


def compiled_onnx(text: str, folder: Path, **given: Any) -> Any:
    """The loaded artifact of a model in ONNX's own notation."""
    archive = capture(parser.parse_model('<ir_version: 8, opset_import: ["" : 18]> ' + text), **given)
    source, out = folder / "source", folder / "out"
    source.mkdir()
    out.mkdir()
    archive.unpack_into(source)
    here = devices.resolve({"TargetPlatform": {"Os": "LINUX", "Arch": "X86_64"}})
    options = CompilerOptions(mcpu="native", raw={"mcpu": "native"})
    shapes = input_config.parse(archive.data_input_config)
    compile_model(CompileRequest(source, "ONNX", shapes, here, options, out), lambda _event: None)
    return load(out)


@pytest.mark.parametrize("rows", [4, None], ids=["known", "free"])
def test_places_of_several_axes(rows: int | None, tmp_path: Path) -> None:
    """ONNX Runtime raises an error where one is beyond; the process ended here."""
    text = """g (float[N, 5] x, int64[3, 2] at, float[3] new) => (float[3] y, float[N, 5] z)
        { y = GatherND(x, at) z = ScatterND(x, at, new) }"""
    run = compiled_onnx(text, tmp_path, input_shape={"x": [rows, 5], "at": [3, 2], "new": [3]})
    x, new = np.arange(20.0, dtype="f4").reshape(4, 5), np.float32([-1, -2, -3])
    for given, meant in (
        ([[0, 1], [3, 4], [2, 0]], [[0, 1], [3, 4], [2, 0]]),
        ([[-1, -5], [-4, 4], [2, -1]], [[3, 0], [0, 4], [2, 4]]),
        ([[99, 1], [-99, 4], [2, 10**10]], [[3, 1], [0, 4], [2, 4]]),
    ):
        first, second = np.transpose(meant)
        written = x.copy()
        written[first, second] = new
        picked, placed = run(x, np.array(given), new)
        np.testing.assert_array_equal(picked, x[first, second])
        np.testing.assert_array_equal(placed, written)


def test_places_along_a_free_axis(tmp_path: Path) -> None:
    text = "g (float[N, 2] x, int64[3, 2] at) => (float[3, 2] y) { y = GatherElements<axis=0>(x, at) }"
    run = compiled_onnx(text, tmp_path, input_shape={"x": [None, 2], "at": [3, 2]})
    x = np.arange(8.0, dtype="f4").reshape(4, 2)
    got = run(x, np.array([[-1, 0], [99, -99], [2, 10**10]]))
    np.testing.assert_array_equal(got, [[6, 1], [6, 1], [4, 7]])
