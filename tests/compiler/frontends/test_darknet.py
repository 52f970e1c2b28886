"""Darknet networks against OpenCV, boxes included; files that do not belong together are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neo_magics.capture import capture
from neo_magics.capture.source_darknet import OpencvDarknet, OrtDarknet, open_model
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError
from tests.compiler.frontends.darknet_models import CLASSIFIER, HEAD, YOLO_V2, YOLO_V3, conv, files, write
from tests.compiler.frontends.oracle import agrees, imported

IMAGE = np.random.default_rng(3).random((1, 3, 32, 64)).astype("float32")


@pytest.mark.parametrize("text", [YOLO_V3, YOLO_V2, CLASSIFIER], ids=["v3", "v2", "classifier"])
def test_our_reader_agrees_with_opencv(tmp_path: Path, text: str) -> None:
    cv2 = pytest.importorskip("cv2")
    if not hasattr(cv2.dnn, "readNetFromDarknet"):
        pytest.skip("this OpenCV no longer reads Darknet")
    files(tmp_path, text)
    for image in (IMAGE, np.random.default_rng(4).random((2, 3, 64, 32)).astype("float32")):
        if text is CLASSIFIER and image.shape[0] > 1:
            continue
        expected = OpencvDarknet(cv2, tmp_path, 1).run({"data": image})
        got = OrtDarknet(tmp_path, 1).run({"data": image})
        assert list(got) == list(expected)
        for name, value in expected.items():
            assert got[name].shape == value.shape
            kept = value != 0 if "region" in name else np.ones(value.shape, bool)  # it suppresses boxes there
            np.testing.assert_allclose(got[name][kept], value[kept], atol=2e-5, rtol=2e-4)
            assert kept.mean() > 0.5


@pytest.mark.parametrize(
    "layers",
    [
        conv(4, more="dilation=2"),
        conv(4, activation="selu"),
        conv(4) + conv(4) + conv(4) + "[shortcut]\nfrom=-2,-3\nactivation=linear\n",
        conv(4, stride=2) + "[upsample]\nstride=2\nscale=0.5\n",
    ],
    ids=["dilation", "selu", "sum of three", "scaled"],
)
def test_what_opencv_reads_over_is_held_to_our_reader(tmp_path: Path, layers: str) -> None:
    files(tmp_path, HEAD + layers)
    assert isinstance(open_model(tmp_path, 1, False), OrtDarknet)
    agrees(tmp_path / "net.cfg", IMAGE, tolerance=2e-4)


def test_a_classifier_that_ends_in_a_cost_gives_rows_of_classes(tmp_path: Path) -> None:
    path = files(tmp_path, HEAD + conv(8) + "[avgpool]\n[softmax]\ngroups=1\n[cost]\ntype=sse\n")
    assert agrees(path, IMAGE).outputs[0].shape == (1, 8)


def test_boxes_of_two_heads(tmp_path: Path) -> None:
    result = agrees(files(tmp_path, YOLO_V3), IMAGE, tolerance=2e-4)
    assert [str(spec) for spec in result.outputs] == [
        "yolo_8: float32[1, 384, 7]",
        "yolo_15: float32[1, 1536, 7]",
    ]


def test_a_free_batch_and_another_size(tmp_path: Path) -> None:
    path = files(tmp_path, CLASSIFIER)
    result = agrees(
        path, np.zeros((1, 3, 32, 32), "float32"), input_shape={"data": [None, 3, 32, 32]},
        feeds={"data": np.random.default_rng(0).random((3, 3, 32, 32)).astype("float32")},
    )  # fmt: skip
    assert result.inputs[0].shape == ("batch", 3, 32, 32)


class TestBadInput:
    @pytest.mark.parametrize(
        ("layer", "what"),
        [
            ("[maxpool]\nsize=2\nmaxpool_depth=1\n", "maxpool with maxpool_depth"),
            ("[maxpool]\nsize=2\nstride=2\nstride_x=3\n", "maxpool with stride_x"),
            ("[shortcut]\nfrom=-1\nalpha=0.5\n", "shortcut with alpha"),
            ("[detection]\nclasses=2\n", "detection"),
            ("[crnn]\nhidden_filters=2\n", "crnn"),
        ],
    )
    def test_layers_and_options_that_are_not_known(self, tmp_path: Path, layer: str, what: str) -> None:
        write(tmp_path, HEAD + conv(4) + layer, np.zeros(200))
        with pytest.raises(UnsupportedOperatorsError, match=f"not implemented: {{{what}}}"):
            imported(tmp_path, "DARKNET")

    def test_a_stride_of_nothing(self, tmp_path: Path) -> None:
        write(tmp_path, HEAD + "[maxpool]\nsize=2\nstride=0\n", np.zeros(0))
        with pytest.raises(InputError, match="maxpool_0 has a stride of 0"):
            imported(tmp_path, "DARKNET")

    def test_the_two_files_must_belong_together(self, tmp_path: Path) -> None:
        path = files(tmp_path, CLASSIFIER)
        content = (tmp_path / "net.weights").read_bytes()
        (tmp_path / "net.weights").write_bytes(content[:-8])
        with pytest.raises(InputError, match="ends in layer connected_3"):
            capture(path)
        (tmp_path / "net.weights").write_bytes(content + bytes(8))
        with pytest.raises(InputError, match="has 2 numbers more"):
            capture(path)
        (tmp_path / "net.weights").write_bytes(content[:40] + b"\xff\xff\xff\x7f" + content[44:])
        with pytest.raises(InputError, match=r"of layer convolutional_0 in net\.weights are not finite"):
            capture(path)

    def test_unknown_layers_come_at_once(self, tmp_path: Path) -> None:
        text = (
            HEAD
            + conv(4, activation="maxout")
            + "[gru]\noutput=3\n[shortcut]\nfrom=-1\nweights_type=per_channel\n"
        )
        write(tmp_path, text, np.zeros(8))
        with pytest.raises(UnsupportedOperatorsError, match="gru in gru_1; shortcut with weights_type"):
            imported(tmp_path, "DARKNET")

    @pytest.mark.parametrize("text", ["", "hello", "[net]\nwidth=3", "[convolutional]\nsize=1"])
    def test_what_is_no_configuration(self, tmp_path: Path, text: str) -> None:
        write(tmp_path, text, np.zeros(8))
        with pytest.raises(InputError, match=r"not a (Darknet option|configuration of Darknet)"):
            imported(tmp_path, "DARKNET")

    def test_both_files_are_needed(self, tmp_path: Path) -> None:
        (tmp_path / "net.cfg").write_text(CLASSIFIER)
        with pytest.raises(InputError, match=r"No \.weights file found for Darknet model\. Please make sure"):
            imported(tmp_path, "DARKNET")
        with pytest.raises(CaptureError, match="needs a file beside it"):
            capture(tmp_path / "net.cfg")

    def test_images_are_in_nchw(self, tmp_path: Path) -> None:
        files(tmp_path, CLASSIFIER)
        with pytest.raises(InputError, match=r"'data': the model expects shape \[batch, 3, height, width\]"):
            imported(tmp_path, "DARKNET", '{"data": [1, 32, 32, 3]}')
