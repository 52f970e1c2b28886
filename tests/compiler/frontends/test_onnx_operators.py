"""Operators of ONNX that TVM's importer lacks or gets wrong, held to the onnx package's own cases.

Each of these cases fails with TVM's importer and its default pipeline, or passes only where Python is
(NonZero, Unique), or because its thresholds are TVM's defaults (NonMaxSuppression). Those of a family are one
model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from neo_magics.api.compiler_options import CompilerOptions
from neo_magics.compiler.frontends import import_model
from tests.compiler.frontends.merged_cases import hold
from tests.compiler.frontends.node_cases import cases, viewed
from tests.compiler.models import run, x86_target

FAMILIES = {
    "casts": [
        "bitcast_float32_to_int32", "bitcast_bool_to_uint8", "cast_FLOAT_to_FLOAT8E5M2",
        "cast_INT4_to_FLOAT16",
        "cast_FLOAT8E4M3FNUZ_to_FLOAT", "cast_FLOAT_to_UINT2", "cast_FLOAT16_to_FLOAT4E2M1",
        "cast_no_saturate_FLOAT16_to_FLOAT8E4M3FN", "castlike_FLOAT_to_FLOAT8E4M3FN",
    ],
    "elementwise": [
        "bitshift_left_int32_shift_ge_width", "bitshift_right_int32_negative_shift", "isinf_positive",
        "isinf_negative",
        "pow_types_float32_int64", "pow_types_int64_int64", "pow_types_int32_float32", "celu_bfloat16",
    ],
    "indexing": [
        "constant_pad_axes", "eyelike_with_dtype",
        "split_zero_size_splits_opset18",
        "top_k_uint64", "onehot_negative_indices", "onehot_with_axis",
        "reversesequence_batch", "reversesequence_time",
        "tensorscatter_circular", "tensorscatter_3d",
    ],
    "normalisation": [
        "batchnorm_example_training_mode", "dropout_default_mask",
        "rms_normalization_2d_axis0", "l1normalization_axis_0",
        "l2normalization_axis_1", "layer_normalization_3d_axis1_epsilon",
    ],
    "quantised": [
        "convinteger_with_padding", "dequantizelinear_blocked", "dequantizelinear_e4m3fn_zero_point",
        "dequantizelinear_float4e2m1", "qlinearconv", "qlinearmatmul_2D_uint8_float32",
        "quantizelinear_blocked_asymmetric", "quantizelinear_e5m2", "quantizelinear_int4",
    ],
    "reductions": ["reduce_max_bool_inputs", "reduce_max_empty_set", "cumprod_2d_axis_0"],
    "resize": [
        "resize_downsample_scales_cubic_antialias", "resize_downsample_sizes_nearest_not_larger",
        "resize_tf_crop_and_resize_axes_3_2", "resize_upsample_sizes_nearest_axes_2_3",
    ],
    "sampling": [
        "col2im_pads", "convtranspose_output_shape", "deform_conv_with_mask_bias",
        "maxpool_with_argmax_2d_precomputed_strides", "maxunpool_export_with_output_shape",
        "roialign_mode_max",
    ],
    "selection": [
        "compress_1", "nonmaxsuppression_two_classes", "nonmaxsuppression_suppress_by_IOU_and_scores",
        "nonzero_example", "unique_sorted_with_axis_3d", "unique_not_sorted_without_axis",
    ],
    "signal": ["dft", "dft_irfft", "stft_with_window", "hannwindow", "melweightmatrix"],
    "small algebra": ["det_nd", "tfidfvectorizer_tf_batch_onlybigrams_skip5"],
    "control": ["loop11", "scan9_multi_state"],
    "functions": [
        "attention_4d_gqa_with_past_and_present", "attention_causal_boolmask_nan_robustness",
        "linear_attention_gated_delta_gqa", "nllloss_NCd1_weight_ii", "rotary_embedding_interleaved",
        "swiglu",
        "sce_NCd1_mean_weight_negative_ii_log_prob",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    return cases()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_agrees_with_onnx(family: str, known: dict[str, Any]) -> None:
    hold(FAMILIES[family], known)


NARROW = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn")


def test_every_half_precision_number_is_rounded_to_narrow_floats_as_by_ml_dtypes(tmp_path: Path) -> None:
    halves = np.arange(2**16, dtype="uint16").view("float16")
    kinds = [onnx.helper.np_dtype_to_tensor_dtype(np.dtype(getattr(ml_dtypes, name))) for name in NARROW]
    nodes = [
        onnx.helper.make_node("Cast", ["x"], [name], to=kind, saturate=0)
        for name, kind in zip(NARROW, kinds, strict=True)
    ]
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT16, [2**16])
    outputs = [
        onnx.helper.make_tensor_value_info(name, kind, [2**16])
        for name, kind in zip(NARROW, kinds, strict=True)
    ]
    graph = onnx.helper.make_graph(nodes, "casts", [x], outputs)
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)], ir_version=10)
    onnx.save(proto, tmp_path / "model.onnx")
    imported = import_model(tmp_path, "ONNX", None, CompilerOptions())
    for name, got in zip(NARROW, viewed(run(imported.module, [halves], x86_target()), imported), strict=True):
        with np.errstate(all="ignore"):
            wanted = halves.astype(getattr(ml_dtypes, name))
        np.testing.assert_array_equal(got.astype("f4"), wanted.astype("f4"), err_msg=name)
