"""Whole PyTorch models through capture and import, numerically equal to PyTorch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neo_magics.capture import capture
from neo_magics.capture.source import lowest_precision, open_source
from neo_magics.errors import CompilationError, InputError, UnsupportedOperatorsError, UntrustedPickleError
from tests.capture.networks import Branch, Reader, Residual, TwoInputs, encoder, seeded
from tests.compiler.frontends.oracle import agrees, imported, run

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*torch\.jit\.:DeprecationWarning", r"ignore:.*:torch.jit.TracerWarning"
)

IDS = torch.tensor([[1, 2, 3, 4], [7, 7, 0, 49]])
MODELS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 2)), torch.ones(3, 8)),
    "residual": (Residual, torch.randn(2, 1, 8, 8)),
    "reader": (Reader, IDS),
    "encoder": (encoder, torch.randn(2, 5, 16)),
    "two inputs": (TwoInputs, (torch.randn(2, 4), torch.randn(2, 5))),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_module(name: str) -> None:
    make, inputs = MODELS[name]
    agrees(seeded(make), inputs)


@pytest.mark.parametrize("how", ["trace", pytest.param("script", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", MODELS)
def test_torchscript(name: str, how: str) -> None:
    make, inputs = MODELS[name]
    model, args = seeded(make), inputs if isinstance(inputs, tuple) else (inputs,)
    with torch.no_grad():
        script = torch.jit.trace(model, args, strict=False) if how == "trace" else torch.jit.script(model)
    agrees(script, inputs)


class Recurrent(nn.Module):
    """A stacked bidirectional LSTM, a GRU and an RNN."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
        self.gru = nn.GRU(10, 3)
        self.rnn = nn.RNN(3, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden, (_h, cell) = self.lstm(x)
        return self.rnn(self.gru(hidden)[0])[0], cell


def test_recurrent_layers() -> None:
    agrees(seeded(Recurrent), torch.randn(6, 2, 4))


class JoinedAttention(nn.Module):
    """Its views compare four times the batch with eight: equal for a batch of two."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([x, x], -1)[..., ::2]
        return self.attention(x, x, x, need_weights=False)[0]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_sizes_that_happen_to_be_equal_stay_free(size: int) -> None:
    feeds = {"x": np.random.default_rng(0).standard_normal((size, 16, 32)).astype("float32")}
    agrees(seeded(JoinedAttention), feeds=feeds, input_shape='{"x": [null, 16, 32]}')


def test_a_free_size_that_pytorch_takes_as_fixed_is_refused(tmp_path: Path) -> None:
    free = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(seeded(JoinedAttention), (torch.randn(2, 16, 32),), dynamic_shapes=free)
    capture(program).unpack_into(tmp_path)
    with pytest.raises(InputError, match="free dimension 0 as 2"):
        imported(tmp_path, "PYTORCH")


@pytest.mark.parametrize("size", [1, 5])
def test_a_free_batch_runs_at_any_size(size: int) -> None:
    feeds = {"image": np.random.default_rng(0).standard_normal((size, 1, 8, 8)).astype("float32")}
    model = agrees(seeded(Residual), feeds=feeds, input_shape='{"image": [null, 1, 8, 8]}')
    assert model.inputs[0].shape == ("batch", 1, 8, 8)
    assert model.outputs[0].shape == ("batch", 10)
    assert model.derived_input_config == '{"image":[null,1,8,8]}'


@pytest.mark.parametrize("affine", [True, False])
def test_instances_normalised_in_a_free_batch(affine: bool) -> None:
    """PyTorch normalises them as channels of one batch; TVM: fails on their product."""
    feeds = {"input": np.random.default_rng(0).standard_normal((3, 6, 5, 4)).astype("float32")}
    layers = nn.InstanceNorm2d(6, affine=affine), nn.Flatten(2), nn.InstanceNorm1d(6, affine=affine)
    agrees(nn.Sequential(*layers).eval(), feeds=feeds, input_shape='{"input": [null, 6, 5, 4]}')


def test_a_free_batch_of_a_recurrent_model() -> None:
    feeds = {"ids": np.array([[1, 2, 3]] * 4)}
    agrees(seeded(Reader), IDS[:, :3], feeds=feeds, input_shape='{"ids": [null, 3]}')


def test_data_input_config_fixes_a_free_dimension(tmp_path: Path) -> None:
    capture(seeded(Residual), input_shape='{"image": [null, 1, 8, 8]}').unpack_into(tmp_path)
    model = imported(tmp_path, "PYTORCH", '{"image": [3, 1, 8, 8]}')
    assert model.inputs[0].shape == (3, 1, 8, 8)
    assert model.outputs[0].shape == (3, 10)
    assert run(model, {"image": np.ones((3, 1, 8, 8), np.float32)})["output0"].shape == (3, 10)


def test_a_pt2_needs_no_data_input_config(tmp_path: Path) -> None:
    capture(seeded(Residual), inputs=torch.ones(2, 1, 8, 8)).unpack_into(tmp_path)
    assert imported(tmp_path, "PYTORCH").derived_input_config == '{"image":[2,1,8,8]}'


def test_none_and_numbers_among_the_outputs_are_left_out() -> None:
    class Mixed(nn.Module):
        def forward(self, x: torch.Tensor, *, bias: torch.Tensor) -> tuple[object, ...]:
            return x + bias, None, 3, x * 2

    model = agrees(Mixed(), {"x": torch.ones(2), "bias": torch.ones(2)})
    assert [spec.name for spec in model.outputs] == ["output0", "output1"]


def test_a_buffer_that_the_model_writes_is_not_an_output() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count.add_(1)
            return x * 2

    model = agrees(Counter(), torch.ones(2))
    assert len(model.outputs) == 1


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float64, 1e-12)]
)
def test_other_precisions(dtype: torch.dtype, tolerance: float) -> None:
    model = seeded(lambda: nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))).to(dtype)
    agrees(model, torch.randn(2, 8).to(dtype), tolerance=tolerance)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float16, 5e-3), (torch.bfloat16, 3e-2), (torch.float64, 1e-12)]
)
def test_convolutions_with_bias_in_other_precisions(dtype: torch.dtype, tolerance: float) -> None:
    layers = (nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.ConvTranspose2d(6, 2, 2, 2))
    agrees(
        seeded(lambda: nn.Sequential(*layers)).to(dtype),
        torch.randn(2, 3, 8, 8).to(dtype),
        tolerance=tolerance,
    )


def test_a_dataclass_names_its_outputs() -> None:
    @dataclasses.dataclass
    class Found:
        boxes: torch.Tensor
        scores: torch.Tensor
        masks: torch.Tensor | None = None

    class Detector(nn.Module):
        def forward(self, x: torch.Tensor) -> Found:
            return Found(x * 2, x.sum(1))

    assert [spec.name for spec in agrees(Detector(), torch.ones(2, 3)).outputs] == ["boxes", "scores"]


def test_a_decoder_with_a_causal_mask() -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.TransformerDecoder(nn.TransformerDecoderLayer(16, 2, 32, batch_first=True), 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
            return self.inner(x, x, tgt_mask=mask)

    agrees(seeded(Decoder), torch.randn(2, 5, 16))


def test_a_slice_up_to_a_free_length() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(40, 4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + self.table[: x.shape[1]]

    feeds = {"x": np.random.default_rng(0).standard_normal((3, 17, 4)).astype("float32")}
    model = agrees(seeded(Positions), torch.randn(2, 5, 4), feeds=feeds, input_shape='{"x": [null, null, 4]}')
    assert model.outputs[0].shape == ("batch", "x_dim1", 4)


def test_boxes_without_the_overlapping_ones() -> None:
    """Non-maximum suppression, as detectors write it in tensor operators."""

    class Detector(nn.Module):
        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> dict[str, torch.Tensor]:
            order = scores.argsort(descending=True)
            sorted_boxes, count = boxes[order], len(scores)
            area = (sorted_boxes[:, 2:] - sorted_boxes[:, :2]).prod(1)
            low = torch.maximum(sorted_boxes[:, None, :2], sorted_boxes[None, :, :2])
            high = torch.minimum(sorted_boxes[:, None, 2:], sorted_boxes[None, :, 2:])
            shared = (high - low).clamp(min=0).prod(-1)
            overlap = shared / (area[:, None] + area[None] - shared) > 0.5
            keep = torch.ones(count, dtype=torch.bool)
            for box in range(count):
                keep = keep & ~(overlap[box] & (torch.arange(count) > box) & keep[box])
            best, which = torch.where(keep, scores[order], torch.tensor(-1.0)).topk(4)
            return {"boxes": sorted_boxes[which], "scores": best}

    random = np.random.default_rng(0)
    corners = random.random((20, 2)).astype("float32")
    boxes = np.concatenate([corners, corners + 0.5], 1)
    agrees(Detector(), {"boxes": boxes, "scores": random.random(20).astype("float32")})


def test_weights_whose_memory_is_transposed() -> None:
    model = nn.Linear(6, 6, bias=False)
    model.weight = nn.Parameter(torch.randn(6, 6).t())
    agrees(model, torch.randn(2, 6))


class TestMistakes:
    def test_all_unknown_operators_come_at_once_with_their_layers(self) -> None:
        class Odd(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.linalg.svdvals(x) + torch.special.bessel_j0(x)[0]

        with pytest.raises(UnsupportedOperatorsError, match=r"operators are not implemented: \{") as caught:
            agrees(nn.Sequential(nn.Linear(4, 4), Odd()), torch.ones(4, 4))
        assert {"_linalg_svd.default", "special_bessel_j0.default"} <= set(caught.value.fields["operators"])
        assert "1, Odd" in str(caught.value)
        assert caught.value.message.startswith("TVM cannot convert PyTorch model.")

    def test_an_operator_that_cannot_be_converted_names_itself_and_its_layer(self) -> None:
        class Masked(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x[x > 0]

        with pytest.raises(CompilationError, match=r"index\.Tensor \(Masked\)"):
            agrees(Masked(), torch.ones(1, 1, 4, 4))

    @pytest.mark.parametrize("config", ['{"image": [2, 3, 8, 8]}', '{"image": [2, 1, 8]}'])
    def test_a_wrong_shape_names_input_expected_and_got(self, tmp_path: Path, config: str) -> None:
        capture(seeded(Residual), inputs=torch.ones(2, 1, 8, 8)).unpack_into(tmp_path)
        with pytest.raises(InputError, match=r"'image': the model expects shape \[2, 1, 8, 8\]"):
            imported(tmp_path, "PYTORCH", config)

    def test_a_fixed_dimension_cannot_become_free(self, tmp_path: Path) -> None:
        capture(seeded(Residual), inputs=torch.ones(2, 1, 8, 8)).unpack_into(tmp_path)
        with pytest.raises(InputError, match="null"):
            imported(tmp_path, "PYTORCH", '{"image": [null, 1, 8, 8]}')

    def test_one_free_dimension_with_two_sizes(self, tmp_path: Path) -> None:
        shapes = '{"a": [null, 4], "b": [null, 5]}'
        capture(seeded(TwoInputs), input_shape=shapes).unpack_into(tmp_path)
        with pytest.raises(InputError, match=r"dimension 'batch' is 3 here and 2 in another"):
            imported(tmp_path, "PYTORCH", '{"a": [2, 4], "b": [3, 5]}')

    def test_a_missing_and_an_unknown_input(self, tmp_path: Path) -> None:
        inputs = (torch.ones(2, 4), torch.ones(2, 5))
        capture(seeded(TwoInputs), inputs=inputs).unpack_into(tmp_path)
        with pytest.raises(InputError, match="does not name the model's input 'b'"):
            imported(tmp_path, "PYTORCH", '{"a": [2, 4]}')
        with pytest.raises(InputError, match="lists 1 shapes; the model has 2 inputs"):
            imported(tmp_path, "PYTORCH", "[[2, 4]]")

    def test_torchscript_needs_shapes_and_has_no_free_ones(self, tmp_path: Path) -> None:
        capture(torch.jit.script(Branch()), inputs=torch.ones(3)).unpack_into(tmp_path)
        with pytest.raises(InputError, match="does not say its input shapes"):
            imported(tmp_path, "PYTORCH")
        with pytest.raises(InputError, match="free dimension"):
            imported(tmp_path, "PYTORCH", '{"x": [null]}')

    def test_torchscript_that_does_not_run_on_the_shapes(self, tmp_path: Path) -> None:
        script = torch.jit.script(seeded(Residual))
        capture(script, inputs=torch.ones(2, 1, 8, 8)).unpack_into(tmp_path)
        with pytest.raises(InputError, match="does not run on inputs of these shapes"):
            imported(tmp_path, "PYTORCH", '{"image": [2, 3, 8, 8]}')

    def test_a_pickled_module_needs_trust(self, tmp_path: Path) -> None:
        torch.save(seeded(Residual), tmp_path / "model.pth")
        with pytest.raises(UntrustedPickleError):
            imported(tmp_path, "PYTORCH", '{"image": [1, 1, 8, 8]}')
        model = imported(tmp_path, "PYTORCH", '{"image": [1, 1, 8, 8]}', trust_pickle=True)
        assert model.outputs[0].shape == (1, 10)

    @pytest.mark.parametrize("name", ["model.pt2", "model.pth"])
    def test_a_file_that_is_no_model(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_bytes(b"PK\x03\x04" + bytes(100))
        with pytest.raises(InputError, match="cut short"):
            imported(tmp_path, "PYTORCH", '{"x": [1]}')


def test_neo_s_names_are_the_names_of_a_torchscript_model(tmp_path: Path) -> None:
    capture(seeded(Residual), inputs=torch.ones(1, 1, 8, 8), portable=True).write(
        tmp_path / "a", extras=False
    )
    archive = capture(seeded(Residual), inputs=torch.ones(1, 1, 8, 8), portable=True)
    archive.unpack_into(tmp_path / "model", extras=False)
    model = imported(tmp_path / "model", "PYTORCH", "{'input0': [1, 1, 8, 8]}")
    assert [spec.name for spec in model.inputs] == ["input0"]
    assert model.derived_input_config == '{"input0":[1,1,8,8]}'


class Mixed(nn.Module):
    """torch.autocast inside: norms have float32 weights and bfloat16 inputs, the result is float32 again."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.batch = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.inner, self.norm, self.group = nn.Linear(8, 16), nn.LayerNorm(16), nn.GroupNorm(2, 8)
        self.last = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = self.group(self.batch(self.conv(x)).relu()).flatten(2).transpose(1, 2)
            y = self.last(self.norm(self.inner(y)).amax(1))
        return y.float().softmax(-1)


def test_autocast_and_what_it_computes_in(tmp_path: Path) -> None:
    model, image = seeded(Mixed), torch.randn(2, 3, 6, 6)
    agrees(model, image, tolerance=2e-2)
    capture(model, inputs=image).unpack_into(tmp_path)
    assert lowest_precision(open_source(tmp_path, "PYTORCH")) == "bfloat16"


def test_norms_of_bfloat16() -> None:
    parts = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.Flatten(2), nn.LayerNorm(16)
    agrees(nn.Sequential(*parts).bfloat16(), torch.randn(2, 3, 6, 6).bfloat16(), tolerance=5e-2)
