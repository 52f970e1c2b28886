"""Capturing PyTorch: modules, programs, TorchScript, files; and the user's module stays as it was."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture import ModelArchive, capture
from neo_magics.errors import CaptureError, InputError, UntrustedPickleError
from tests.capture.networks import Branch, Reader, Residual, TwoInputs, seeded

pytestmark = pytest.mark.filterwarnings(r"ignore:.*torch\.jit\.:DeprecationWarning")

IMAGE = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def program_of(archive: ModelArchive) -> torch.export.ExportedProgram:
    return torch.export.load(io.BytesIO(archive.files["model.pt2"]))


class TestModules:
    def test_a_module_becomes_a_pt2_that_torch_itself_loads(self) -> None:
        model = seeded(Residual)
        archive = capture(model, inputs=IMAGE)
        loaded = program_of(archive).module()(IMAGE)
        torch.testing.assert_close(loaded, model(IMAGE))
        assert archive.framework == "PYTORCH"
        assert archive.data_input_config == '{"image":[2,1,8,8]}'
        assert (archive.input_names, archive.output_names) == (("image",), ("output0",))
        assert torch.__version__.startswith(archive.framework_version)

    def test_training_mode_is_captured_as_evaluation_and_restored_part_by_part(self) -> None:
        model = seeded(Residual).train()
        model.norm.eval()
        archive = capture(model, inputs=IMAGE)
        assert model.training
        assert model.drop.training
        assert not model.norm.training
        torch.testing.assert_close(program_of(archive).module()(IMAGE), model.eval()(IMAGE))

    def test_the_mode_is_restored_when_capturing_fails(self) -> None:
        model = nn.Sequential(nn.Linear(3, 2)).train()
        with pytest.raises(CaptureError):
            capture(model, inputs=torch.ones(1, 4))
        assert model.training

    def test_the_same_model_gives_the_same_archive(self, tmp_path: Path) -> None:
        first = capture(seeded(Residual), inputs=IMAGE).write(tmp_path / "a")
        assert capture(seeded(Residual), inputs=IMAGE).write(tmp_path / "b") == first

    def test_neither_paths_nor_example_values_are_in_the_program(self) -> None:
        data = capture(seeded(Residual), inputs=IMAGE).files["model.pt2"]
        assert b"site-packages" not in data
        assert str(Path(__file__).parent).encode() not in data
        assert program_of(capture(seeded(Residual), inputs=IMAGE)).example_inputs is None

    def test_a_dict_s_keys_name_the_outputs_and_ids_stay_whole_numbers(self) -> None:
        archive = capture(seeded(Reader), inputs=torch.tensor([[1, 2, 3]]))
        assert archive.output_names == ("logits", "states")
        assert archive.inputs["ids"].dtype == np.int64

    @pytest.mark.parametrize(
        "inputs",
        [
            (torch.ones(2, 4), torch.ones(2, 5)),
            [np.ones((2, 4), np.float32), torch.ones(2, 5)],
            {"b": torch.ones(2, 5), "a": torch.ones(2, 4)},
            (torch.ones(2, 4, requires_grad=True), torch.ones(2, 5)),
        ],
    )
    def test_examples_come_as_a_tuple_a_list_or_by_name(self, inputs: object) -> None:
        archive = capture(seeded(TwoInputs), inputs=inputs)
        assert archive.data_input_config == '{"a":[2,4],"b":[2,5]}'
        assert list(archive.inputs) == ["a", "b"]
        assert archive.output_names == ("output0", "output1")

    def test_shapes_alone_are_enough_for_float_inputs(self) -> None:
        archive = capture(seeded(TwoInputs), input_shape="{'a': [2, 4], 'b': [2, 5]}")
        assert archive.data_input_config == '{"a":[2,4],"b":[2,5]}'
        assert archive.inputs == {}

    def test_shapes_may_be_a_list_or_have_neo_s_names(self) -> None:
        expected = '{"image":[1,1,8,8]}'
        assert capture(seeded(Residual), input_shape="[[1, 1, 8, 8]]").data_input_config == expected
        named = capture(seeded(Residual), input_shape='{"input0": [1, 1, 8, 8]}')
        assert named.data_input_config == expected

    @pytest.mark.parametrize("inputs", [None, IMAGE, IMAGE[:1]])
    def test_null_keeps_a_dimension_free(self, inputs: torch.Tensor | None) -> None:
        archive = capture(seeded(Residual), inputs=inputs, input_shape='{"image": [null, 1, 8, 8]}')
        assert archive.data_input_config == '{"image":[null,1,8,8]}'
        assert program_of(archive).module()(torch.ones(5, 1, 8, 8)).shape == (5, 10)

    def test_half_precision_and_bfloat16_are_kept(self) -> None:
        for dtype in (torch.float16, torch.bfloat16):
            archive = capture(nn.Linear(3, 2).to(dtype), inputs=torch.ones(1, 3, dtype=dtype))
            assert str(archive.inputs["input"].dtype) == str(dtype).removeprefix("torch.")

    def test_a_compiled_module_is_captured_as_the_module_within(self) -> None:
        compiled = torch.compile(seeded(Residual))
        assert capture(compiled, inputs=IMAGE).input_names == ("image",)

    def test_a_named_tuple_s_fields_name_the_outputs(self) -> None:
        from typing import NamedTuple

        class Pair(NamedTuple):
            low: torch.Tensor
            high: torch.Tensor

        class Bounds(nn.Module):
            def forward(self, x: torch.Tensor) -> Pair:
                return Pair(x - 1, x + 1)

        archive = capture(Bounds(), inputs=torch.ones(2))
        assert archive.output_names == ("low", "high")
        assert set(program_of(archive).module()(torch.ones(2))) == {"low", "high"}


class TestMistakes:
    def test_no_inputs_at_all(self) -> None:
        with pytest.raises(CaptureError, match="shape of the model's input 'image' is not known") as caught:
            capture(seeded(Residual))
        assert "--input-shape" in caught.value.hint

    def test_a_wrong_name_is_answered_with_the_right_ones(self) -> None:
        with pytest.raises(CaptureError, match=r"no input named 'imago'\. Did you mean 'image'"):
            capture(seeded(Residual), inputs={"imago": IMAGE})

    def test_a_missing_and_a_superfluous_input(self) -> None:
        with pytest.raises(CaptureError, match="No example is given for the model's input 'b'"):
            capture(seeded(TwoInputs), inputs=torch.ones(2, 4))
        with pytest.raises(CaptureError, match="2 example inputs were given; the model takes 1"):
            capture(seeded(Residual), inputs=(IMAGE, IMAGE))

    def test_a_wrong_shape_names_the_cause(self) -> None:
        with pytest.raises(CaptureError, match=r"torch\.export cannot capture Residual") as caught:
            capture(seeded(Residual), inputs=torch.ones(2, 3, 8, 8))
        assert "channels" in str(caught.value)

    def test_a_wrong_width_is_one_message_and_no_log(
        self, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
    ) -> None:
        with pytest.raises(CaptureError, match="same reduction dim"):
            capture(nn.Linear(4, 2).eval(), inputs=torch.ones(1, 5))
        assert capfd.readouterr() == ("", "")
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    def test_control_flow_on_values_shows_the_line_and_a_way_out(self, capsys: pytest.CaptureFixture) -> None:
        with pytest.raises(CaptureError, match=r"values of a tensor \(`if x\.sum\(\) > 0:`\)") as caught:
            capture(Branch(), inputs=torch.ones(3))
        assert "torch.jit.script" in caught.value.hint
        assert capsys.readouterr() == ("", "")

    def test_a_dimension_that_the_model_fixes_cannot_be_free(self) -> None:
        class Fixed(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x.reshape(2, 8)

        with pytest.raises(CaptureError, match="does not work for every size"):
            capture(Fixed(), inputs=torch.ones(2, 8), input_shape='{"x": [null, 8]}')

    def test_weights_on_the_meta_device(self) -> None:
        with pytest.raises(CaptureError, match="meta device"):
            capture(nn.Linear(2, 2, device="meta"), inputs=torch.ones(1, 2))

    def test_a_tensor_is_not_a_model(self) -> None:
        with pytest.raises(CaptureError, match="is not a model"):
            capture(torch.ones(2), inputs=torch.ones(2))

    @pytest.mark.parametrize("example", ["text", object(), np.array(["a"])])
    def test_an_example_that_is_no_array(self, example: object) -> None:
        with pytest.raises(CaptureError, match="example for input 'image'"):
            capture(seeded(Residual), inputs=(example,))


class TestPrograms:
    def test_an_exported_program_keeps_its_shapes_and_its_own_examples(self) -> None:
        program = torch.export.export(seeded(Residual), (IMAGE,))
        archive = capture(program)
        assert archive.data_input_config == '{"image":[2,1,8,8]}'
        assert (archive.inputs["image"] == IMAGE.numpy()).all()
        assert program.example_inputs is not None  # the user's program is as it was

    def test_shapes_that_do_not_fit_the_program_are_refused(self) -> None:
        program = torch.export.export(seeded(Residual), (IMAGE,))
        with pytest.raises(CaptureError, match=r"takes \[2, 1, 8, 8\], got \[3, 1, 8, 8\]"):
            capture(program, inputs=torch.ones(3, 1, 8, 8))

    def test_a_path_to_a_pt2(self, tmp_path: Path) -> None:
        torch.export.save(torch.export.export(seeded(Residual), (IMAGE,)), tmp_path / "net.pt2")
        assert capture(tmp_path / "net.pt2").data_input_config == '{"image":[2,1,8,8]}'


class TestTorchScript:
    def test_a_scripted_branch_is_captured_whole(self) -> None:
        archive = capture(torch.jit.script(Branch()), inputs=torch.ones(3))
        loaded = torch.jit.load(io.BytesIO(archive.files["model.pth"]))
        assert loaded(-torch.ones(3)).tolist() == [1.0, 1.0, 1.0]

    def test_portable_is_torchscript_for_sagemaker(self) -> None:
        archive = capture(seeded(Residual), inputs=IMAGE, portable=True)
        assert list(archive.files) == ["model.pth"]
        loaded = torch.jit.load(io.BytesIO(archive.files["model.pth"]))
        torch.testing.assert_close(loaded(IMAGE), seeded(Residual)(IMAGE))
        assert archive.data_input_config == '{"image":[2,1,8,8]}'

    def test_neither_paths_nor_traced_inputs_are_in_it(self) -> None:
        data = capture(seeded(Residual), inputs=IMAGE, portable=True).files["model.pth"]
        assert b"site-packages" not in data
        assert IMAGE.numpy().tobytes() not in data

    def test_a_free_dimension_without_an_example_is_refused(self) -> None:
        with pytest.raises(CaptureError, match="free dimension"):
            capture(torch.jit.script(Branch()), input_shape='{"x": [null]}')


class TestFiles:
    def test_a_pickled_module_is_refused_unless_trusted(self, tmp_path: Path) -> None:
        torch.save(seeded(Residual), tmp_path / "net.pt")
        with pytest.raises(UntrustedPickleError, match="is a Python pickle") as caught:
            capture(tmp_path / "net.pt", inputs=IMAGE)
        assert "--trust-pickle" in caught.value.hint
        assert capture(tmp_path / "net.pt", inputs=IMAGE, trust_pickle=True).input_names == ("image",)

    def test_a_state_dict_is_not_a_model(self, tmp_path: Path) -> None:
        torch.save(seeded(Residual).state_dict(), tmp_path / "net.pth")
        with pytest.raises(CaptureError, match="load_state_dict"):
            capture(tmp_path / "net.pth", inputs=IMAGE, trust_pickle=True)

    @pytest.mark.parametrize("name", ["net.pt2", "net.pth", "net.pt"])
    @pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
    def test_a_cut_file_is_an_input_error(self, tmp_path: Path, name: str, keep: float) -> None:
        whole = capture(seeded(Residual), inputs=IMAGE, portable=name != "net.pt2")
        data = next(iter(whole.files.values()))
        (tmp_path / name).write_bytes(data[: int(len(data) * keep)])
        with pytest.raises(InputError, match="cut short"):
            capture(tmp_path / name, inputs=IMAGE)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_frozen_script_module():
    """It has no training flag, which was read."""
    script = torch.jit.freeze(torch.jit.script(nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()))
    archive = capture(script, inputs=torch.ones(2, 4))
    assert list(archive.files) == ["model.pth"]
