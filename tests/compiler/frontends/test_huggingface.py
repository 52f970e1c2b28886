"""Encoders and decoders of Hugging Face with random weights, held against PyTorch, in small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

transformers = pytest.importorskip("transformers")

from tests.compiler.frontends.oracle import agrees  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the library's own

SMALL = {
    "vocab_size": 97,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
IMAGES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
TEXT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": ("BertModel", "BertConfig", SMALL),
    "distilbert": (
        "DistilBertModel",
        "DistilBertConfig",
        {
            "vocab_size": 97,
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 64,
            "max_position_embeddings": 40,
        },
    ),
    "roberta": ("RobertaForSequenceClassification", "RobertaConfig", SMALL),
    "gpt2": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {
            "vocab_size": 97,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 40,
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
    ),
    "t5": (
        "T5EncoderModel",
        "T5Config",
        {"vocab_size": 97, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4},
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", {**SMALL, "num_key_value_heads": 2}),
}
MIXTURE = ("MixtralForCausalLM", "MixtralConfig", {**SMALL, "num_key_value_heads": 2, "num_local_experts": 4})
FREE = {
    **TEXT,
    "mobilebert": (
        "MobileBertModel",
        "MobileBertConfig",
        {**SMALL, "embedding_size": 16, "intra_bottleneck_size": 32},
    ),
    "mixtral": MIXTURE,
}
IMAGE = {
    "vit": ("ViTForImageClassification", "ViTConfig", IMAGES),
    "clip": ("CLIPVisionModel", "CLIPVisionConfig", IMAGES),
    "swin": (
        "SwinModel",
        "SwinConfig",
        {
            "image_size": 32,
            "patch_size": 2,
            "embed_dim": 16,
            "depths": [2, 2],
            "num_heads": [2, 4],
            "window_size": 4,
        },
    ),
    "yolos": (
        "YolosForObjectDetection",
        "YolosConfig",
        {**IMAGES, "image_size": [32, 32], "num_detection_tokens": 5},
    ),
}


def made(entry: tuple[str, str, dict[str, Any]], attention: str = "sdpa", **more: Any) -> Any:
    model, config, values = entry
    given = getattr(transformers, config)(**values, **more)
    given._attn_implementation = attention
    torch.manual_seed(0)
    return getattr(transformers, model)(given).eval()


def tokens(batch: int, length: int) -> dict[str, np.ndarray]:
    """Token ids, and a mask under which the first row ends half-way."""
    ids = np.random.default_rng(batch + length).integers(3, 90, (batch, length))
    mask = np.ones((batch, length), np.int64)
    mask[0, length // 2 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("name", TEXT)
def test_a_model_of_text(name: str, masked: bool, attention: str) -> None:
    given = tokens(2, 12)
    agrees(made(TEXT[name], attention), given if masked else {"input_ids": given["input_ids"]})


@pytest.mark.parametrize("name", IMAGE)
def test_a_model_of_images(name: str) -> None:
    agrees(made(IMAGE[name]), {"pixel_values": torch.randn(1, 3, 32, 32)})


@pytest.mark.parametrize("name", ["bert", "distilbert", "gpt2", "t5", "llama", "mobilebert", "mixtral"])
def test_free_batch_and_length(name: str) -> None:
    shapes = {"input_ids": [None, None], "attention_mask": [None, None]}
    for size in ((3, 9), (1, 33)):
        model = agrees(made(FREE[name]), tokens(2, 12), feeds=tokens(*size), input_shape=shapes)
    assert [isinstance(axis, str) for axis in model.inputs[0].shape] == [True, True]


def test_a_mixture_of_experts_keeps_its_configuration() -> None:
    """By batched products; the grouped ones are an operator of transformers, which no importer knows."""
    model = made(MIXTURE)
    before = model.config._experts_implementation
    agrees(model, tokens(2, 9))
    assert model.config._experts_implementation == before


def test_a_pooled_encoder_is_spread_again() -> None:
    sizes = {
        "block_sizes": [1, 1],
        "num_decoder_layers": 1,
        "d_model": 32,
        "n_head": 4,
        "d_head": 8,
        "d_inner": 64,
    }
    agrees(made(("FunnelModel", "FunnelConfig", {"vocab_size": 97, **sizes}), "eager"), tokens(2, 12))


def test_a_decoder_leaves_its_cache_out_and_keeps_its_configuration() -> None:
    model = made(TEXT["gpt2"])
    assert model.config.use_cache
    assert [spec.name for spec in agrees(model, {"input_ids": tokens(2, 6)["input_ids"]}).outputs] == [
        "logits"
    ]
    assert model.config.use_cache


def test_an_encoder_with_its_decoder() -> None:
    values = {"vocab_size": 97, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    model = made(("T5ForConditionalGeneration", "T5Config", values))
    result = agrees(model, {**tokens(2, 9), "decoder_input_ids": tokens(2, 5)["input_ids"]})
    assert [spec.name for spec in result.outputs] == ["logits", "encoder_last_hidden_state"]


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_traced(name: str) -> None:
    class Logits(torch.nn.Module):
        def __init__(self, model: Callable[..., Any]) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids=input_ids, attention_mask=attention_mask, return_dict=False)[0]

    given = tokens(2, 9)
    arguments = tuple(map(torch.from_numpy, given.values()))
    with torch.no_grad():
        script = torch.jit.trace(Logits(made(TEXT[name], use_cache=False)), arguments, check_trace=False)
    agrees(script, given)


def test_half_precision() -> None:
    agrees(made(TEXT["bert"]).half(), tokens(2, 9), tolerance=5e-3)
