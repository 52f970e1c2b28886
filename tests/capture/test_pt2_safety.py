"""Reading a model of unknown origin runs nothing: each way in is tried with a file that leaves a mark."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from neo_magics.capture import capture
from neo_magics.capture.pt2 import load_pt2, save_pt2
from neo_magics.capture.torchscript import TorchFile, load_script, torch_file_kind
from neo_magics.errors import InputError, UntrustedPickleError

pytestmark = pytest.mark.filterwarnings(r"ignore:.*torch\.jit\.:DeprecationWarning")


class Mark:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A sound .pt2."""
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.ones(1, 3),))
    path = tmp_path / "model.pt2"
    path.write_bytes(save_pt2(program))
    return path


def changed(path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    """`path` with its record `name` changed (or added)."""
    records = {}
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    root = next(iter(records)).partition("/")[0]
    full = f"{root}/{name}"
    records[full] = change(records.get(full, b""))
    with zipfile.ZipFile(path, "w") as archive:
        for record, data in records.items():
            archive.writestr(record, data)
    return path


def edited(path: Path, edit: Callable[[Any], None]) -> Path:
    def change(data: bytes) -> bytes:
        body = json.loads(data)
        edit(body)
        return json.dumps(body).encode()

    return changed(path, "models/model.json", change)


def refused(path: Path, mark: Path, reason: str) -> None:
    with pytest.raises(UntrustedPickleError, match=reason) as caught:
        load_pt2(path)
    assert "--trust-pickle" in caught.value.hint
    assert not mark.exists()


def test_a_sound_program_is_loaded(whole: Path) -> None:
    assert load_pt2(whole).module()(torch.ones(1, 3)).shape == (1, 2)


def test_a_program_with_torch_s_own_example_inputs_is_loaded(tmp_path: Path) -> None:
    program = torch.export.export(torch.nn.Linear(3, 2), (torch.ones(1, 3),))
    torch.export.save(program, tmp_path / "model.pt2")
    assert load_pt2(tmp_path / "model.pt2").example_inputs is not None


def test_a_program_with_free_dimensions_is_loaded(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=2, max=64)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 2))
    program = torch.export.export(model, (torch.ones(4, 2, 3),), dynamic_shapes=({0: batch},))
    (tmp_path / "model.pt2").write_bytes(save_pt2(program))
    assert load_pt2(tmp_path / "model.pt2").range_constraints


def test_pickled_sample_inputs(whole: Path, mark: Path) -> None:
    buffer = io.BytesIO()
    torch.save(((Mark(mark),), {}), buffer)
    refused(changed(whole, "data/sample_inputs/model.pt", lambda _: buffer.getvalue()), mark, "sample_inputs")


def test_a_pickled_weight(whole: Path, mark: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Mark(mark), buffer)

    def use_pickle(data: bytes) -> bytes:
        body = json.loads(data)
        next(iter(body["config"].values()))["use_pickle"] = True
        return json.dumps(body).encode()

    changed(whole, "data/weights/weight_0", lambda _: buffer.getvalue())
    refused(changed(whole, "data/weights/model_weights_config.json", use_pickle), mark, "is a pickle")


def test_a_constant_of_a_class_of_its_own(whole: Path, mark: Path) -> None:
    def add(data: bytes) -> bytes:
        body = json.loads(data)
        body["config"]["c"] = {
            "path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None,
        }  # fmt: skip
        return json.dumps(body).encode()

    changed(whole, "data/constants/opaque_obj_0", lambda _: pickle.dumps(Mark(mark)))
    refused(changed(whole, "data/constants/model_constants_config.json", add), mark, "is a pickle")


def test_weights_in_the_old_pickled_layout(whole: Path, mark: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"weight": Mark(mark)}, buffer)
    refused(changed(whole, "data/weights/model.pt", lambda _: buffer.getvalue()), mark, "pickled")


def test_native_code(whole: Path, mark: Path) -> None:
    refused(changed(whole, "data/aotinductor/model/model.so", lambda _: b"\x7fELF"), mark, "native code")


@pytest.mark.parametrize(
    "target", ["torch.os.mkdir", "torch.ops.load_library", "torch.ops.aten.from_file.default", "torch.load"]
)
def test_a_node_that_calls_something_else_than_a_tensor_operator(
    whole: Path, mark: Path, target: str
) -> None:
    def call(body: Any) -> None:
        node = body["graph_module"]["graph"]["nodes"][0]
        node["target"] = target
        node["inputs"] = [{"name": "path", "arg": {"as_string": str(mark)}, "kind": 1}]

    refused(edited(whole, call), mark, "no tensor operator")


@pytest.mark.parametrize(
    "expression",
    ["__import__('os').mkdir('{}')", "Symbol('s0').__class__", "().__class__", "exec('1')", "lambda: 1"],
)
def test_a_shape_expression_with_code(whole: Path, mark: Path, expression: str) -> None:
    def write(body: Any) -> None:
        values = body["graph_module"]["graph"]["tensor_values"]
        sizes = next(iter(values.values()))["sizes"]
        sizes[0] = {"as_expr": {"expr_str": expression.replace("{}", str(mark)), "hint": {"as_int": 1}}}

    refused(edited(whole, write), mark, "shape expression")


def test_an_enumeration_that_would_be_imported(whole: Path) -> None:
    def write(body: Any) -> None:
        signature = body["graph_module"]["module_call_graph"][0]["signature"]
        context = json.dumps([{"__enum__": True, "fqn": "antigravity:X", "name": "Y"}])
        leaf = {"type": None, "context": None, "children_spec": []}
        signature["out_spec"] = json.dumps(
            [1, {"type": "builtins.dict", "context": context, "children_spec": [leaf]}]
        )

    with pytest.raises(InputError, match="only the code that made it can build"):
        load_pt2(edited(whole, write))


def test_guards_in_the_file_are_not_executed(whole: Path, mark: Path) -> None:
    def write(body: Any) -> None:
        body["guards_code"] = [f"__import__('os').mkdir({str(mark)!r}) is None"]

    program = load_pt2(edited(whole, write))
    program.module()(torch.ones(1, 3))
    assert not mark.exists()


def test_trust_lets_a_pickled_weight_in(whole: Path) -> None:
    buffer = io.BytesIO()
    torch.save(torch.nn.Parameter(torch.full((2, 3), 7.0)), buffer)

    def use_pickle(data: bytes) -> bytes:
        body = json.loads(data)
        body["config"]["weight"]["use_pickle"] = True
        return json.dumps(body).encode()

    changed(whole, "data/weights/weight_0", lambda _: buffer.getvalue())
    changed(whole, "data/weights/model_weights_config.json", use_pickle)
    assert load_pt2(whole, trust_pickle=True).state_dict["weight"].tolist() == [[7.0] * 3] * 2


def test_torchscript_with_a_pickle_of_another_class(tmp_path: Path, mark: Path) -> None:
    path = tmp_path / "model.pth"
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), path)
    changed(path, "data.pkl", lambda _: pickle.dumps(Mark(mark), protocol=2))
    with pytest.raises(InputError, match="not a TorchScript module"):
        load_script(path)
    assert not mark.exists()


def test_torchscript_that_writes_a_file(tmp_path: Path) -> None:
    class Writer(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            torch.save(x, "stolen.pt")
            return x

    path = tmp_path / "model.pth"
    torch.jit.save(torch.jit.script(Writer()), path)
    with pytest.raises(InputError, match="reads or writes files"):
        load_script(path)


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.pt2"])
@pytest.mark.parametrize("legacy", [False, True])
def test_an_eager_pickle_is_told_from_its_layout(tmp_path: Path, mark: Path, name: str, legacy: bool) -> None:
    torch.save({"x": Mark(mark)}, tmp_path / name, _use_new_zipfile_serialization=not legacy)
    assert torch_file_kind(tmp_path / name) is TorchFile.PICKLE
    with pytest.raises(UntrustedPickleError):
        capture(tmp_path / name, inputs=torch.ones(1))
    assert not mark.exists()


def test_a_pickle_that_poses_as_torchscript_is_still_not_run(tmp_path: Path, mark: Path) -> None:
    torch.save({"x": Mark(mark)}, tmp_path / "model.pth")
    changed(tmp_path / "model.pth", "code/x.py", lambda _: b"")
    changed(tmp_path / "model.pth", "constants.pkl", lambda _: b"\x80\x02).")
    with pytest.raises(InputError):
        capture(tmp_path / "model.pth", inputs=torch.ones(1))
    assert not mark.exists()
