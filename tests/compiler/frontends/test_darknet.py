"""Darknet networks against OpenCV, boxes included; files that do not belong together are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neo_magics.capture import capture
from neo_magics.capture.source_darknet import OpencvDarknet, OrtDarknet, open_model
from neo_magics.errors import CaptureError, InputError, UnsupportedOperatorsError
from tests.compiler.frontends.darknet_models import (
    ANCHORS,
    CLASSIFIER,
    HEAD,
    YOLO_V2,
    YOLO_V3,
    conv,
    files,
    write,
)
from tests.compiler.frontends.oracle import agrees, imported, run

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


class TestOtherHeads:
    """OpenCV has none of them: NumPy is the oracle, after Darknet's formulas."""

    def test_gaussian_heads(self, tmp_path: Path) -> None:
        layers = conv(4, stride=2) + conv(22, 1, norm=0, activation="linear")
        head = f"[Gaussian_yolo]\nmask=1,3\nanchors={ANCHORS}\nclasses=2\nnum=6\nscale_x_y=1.2\n"
        raw = outputs(files(tmp_path / "raw", HEAD + layers))  # [1, 2 · 11, 16, 32]
        rows = raw.reshape(2, 11, 16, 32).transpose(2, 3, 0, 1)
        place = 1.2 * logistic(rows[..., [0, 2]]) - 0.1 + np.stack(np.mgrid[:16, :32][::-1], -1)[:, :, None]
        size = np.exp(rows[..., [4, 6]]) * np.array([[23, 27], [8, 9]]) / [64, 32]
        sure, kinds = logistic(rows[..., 8:9]), logistic(rows[..., 9:])
        certain = 1 - logistic(rows[..., 1:8:2]).mean(-1, keepdims=True)
        expected = np.concatenate([place / [32, 16], size, sure, sure * kinds * certain], -1)
        got = outputs(files(tmp_path / "net", HEAD + layers + head))
        np.testing.assert_allclose(got, expected.reshape(1, -1, 7), atol=1e-5, rtol=1e-4)

    def test_the_first_version(self, tmp_path: Path) -> None:
        side, count, classes = 3, 2, 4
        layers = conv(2, stride=2) + f"[connected]\noutput={side**2 * (5 * count + classes)}\n"
        layers += "activation=linear\n"
        head = f"[detection]\nside={side}\nnum={count}\nclasses={classes}\ncoords=4\nsqrt=1\nsoftmax=0\n"
        raw = outputs(files(tmp_path / "raw", HEAD + layers)).ravel()
        kinds, sure, boxes = np.split(raw, [side**2 * classes, side**2 * (classes + count)])
        expected = []
        for cell in range(side**2):
            for number in range(count):
                x, y, wide, high = boxes.reshape(side**2, count, 4)[cell, number]
                confidence = sure.reshape(side**2, count)[cell, number]
                box = [(x + cell % side) / side, (y + cell // side) / side, wide**2, high**2, confidence]
                expected.append([*box, *(confidence * kinds.reshape(side**2, classes)[cell])])
        got = outputs(files(tmp_path / "net", HEAD + layers + head))
        np.testing.assert_allclose(got[0], expected, atol=1e-5, rtol=1e-4)

    def test_a_grid_that_does_not_fit(self, tmp_path: Path) -> None:
        write(tmp_path, HEAD + "[detection]\nside=2\nnum=1\nclasses=2\ncoords=4\n", np.zeros(0))
        with pytest.raises(
            InputError, match="detection_0 needs coords=4 and 28 numbers; the layer before it"
        ):
            imported(tmp_path, "DARKNET")

    @pytest.mark.parametrize(("pad", "stride"), [(1, 1), (0, 2)])
    def test_local_layers(self, tmp_path: Path, pad: int, stride: int) -> None:
        text = f"[local]\nfilters=5\nsize=3\nstride={stride}\npad={pad}\nactivation=leaky\n"
        path = files(tmp_path / "net", HEAD + text)
        found = outputs(path)
        values = np.frombuffer((tmp_path / "net" / "net.weights").read_bytes()[20:], "<f4")
        _batch, filters, height, width = found.shape
        bias = values[: found.size].reshape(filters, height, width)
        weights = values[found.size :].reshape(height, width, filters, 3, 3, 3)
        image = np.pad(IMAGE[0], ((0, 0), (pad, pad), (pad, pad)))
        expected = bias.copy()
        for row, column in np.ndindex(height, width):
            window = image[:, row * stride : row * stride + 3, column * stride : column * stride + 3]
            expected[:, row, column] += np.einsum("fcij,cij->f", weights[row, column], window)
        np.testing.assert_allclose(found[0], np.where(expected > 0, expected, expected * 0.1), atol=1e-5)

    def test_an_activation_that_is_not_said(self, tmp_path: Path) -> None:
        """Darknet's own default, which OpenCV does not have."""
        text = "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n"
        linear = outputs(files(tmp_path / "a", HEAD + text))
        got = outputs(files(tmp_path / "b", HEAD + text.replace("activation=linear\n", "")))
        np.testing.assert_allclose(got, logistic(linear), atol=1e-6)


def logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def outputs(path: Path) -> np.ndarray:
    """The first output for the image, compiled; it agrees with what the job is held to."""
    model = agrees(path, IMAGE, tolerance=2e-4)
    return next(iter(run(model, {"data": IMAGE}).values()))


class TestBadInput:
    @pytest.mark.parametrize(
        ("layer", "what"),
        [
            ("[maxpool]\nsize=2\nmaxpool_depth=1\n", "maxpool with maxpool_depth"),
            ("[maxpool]\nsize=2\nstride=2\nstride_x=3\n", "maxpool with stride_x"),
            ("[shortcut]\nfrom=-1\nalpha=0.5\n", "shortcut with alpha"),
            ("[crop]\ncrop_width=8\n", "crop"),
            ("[gaussian_yolo]\nyolo_point=left_top\n", "gaussian_yolo with yolo_point"),
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
