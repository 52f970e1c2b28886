"""Small Darknet networks with random weights, as the two files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neo_magics.capture import darknet_graph
from neo_magics.capture.darknet_graph import Network

HEAD = "[net]\nwidth=64\nheight=32\nchannels=3\nbatch=1\n"
ANCHORS = "10,14, 23,27, 37,58, 8,9, 13,15, 33,23"


def conv(
    filters: int, size: int = 3, stride: int = 1, norm: int = 1, activation: str = "leaky", more: str = ""
) -> str:
    return (
        f"[convolutional]\nbatch_normalize={norm}\nfilters={filters}\nsize={size}\nstride={stride}\npad=1\n"
        f"activation={activation}\n{more}\n"
    )


YOLO_V3 = (
    HEAD
    + conv(8)
    + "[maxpool]\nsize=2\nstride=2\n"
    + conv(16, activation="mish")
    + "[maxpool]\nsize=2\nstride=2\n"
    + conv(16, 1, activation="swish")
    + "[shortcut]\nfrom=-2\nactivation=linear\n"
    + "[maxpool]\nsize=2\nstride=1\n"
    + conv(21, 1, norm=0, activation="linear")
    + f"[yolo]\nmask=3,4,5\nanchors={ANCHORS}\nclasses=2\nnum=6\n"
    + "[route]\nlayers=-4\n"
    + conv(8, 1)
    + "[upsample]\nstride=2\n"
    + "[route]\nlayers=-1, 2\n"
    + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
    + conv(21, 1, norm=0, activation="linear")
    + f"[yolo]\nmask=0,1,2\nanchors={ANCHORS}\nclasses=2\nnum=6\nscale_x_y=1.1\n"
)
YOLO_V2 = (
    HEAD
    + conv(8, stride=2)
    + conv(16, stride=2, more="groups=2")
    + "[reorg]\nstride=2\n"
    + conv(14, 1, norm=0, activation="linear")
    + "[region]\nanchors=1.3,2.1, 3.2,4.5\nclasses=2\ncoords=4\nnum=2\nsoftmax=1\n"
)
CLASSIFIER = (
    HEAD
    + conv(8, stride=2, activation="relu")
    + "[avgpool]\n[dropout]\nprobability=.5\n[connected]\noutput=5\nactivation=linear\n[softmax]\ngroups=1\n"
)


def files(folder: Path, text: str) -> Path:
    """The pair of files with random weights, as many as the layers take."""
    path = write(folder, text, np.zeros(1))
    return write(folder, text, weights(Network(path, folder / "net.weights")))


def write(folder: Path, text: str, values: np.ndarray) -> Path:
    """The pair of files."""
    folder.mkdir(exist_ok=True)
    (folder / "net.cfg").write_text(text)
    head = np.int32([0, 2, 0]).tobytes() + bytes(8)
    (folder / "net.weights").write_bytes(head + values.astype("<f4").tobytes())
    return folder / "net.cfg"


def weights(network: Network) -> np.ndarray:
    """Numbers for the layers in the order in which they are read; variances among them are positive."""
    rng, parts = np.random.default_rng(0), []

    class Making:
        transposed = False

        def __init__(self, _path: Path) -> None:
            """There is no file."""

        def take(self, layer: str, *shape: int) -> np.ndarray:
            fan = int(np.prod(shape[1:]))
            made = rng.standard_normal(shape) / np.sqrt(fan) if fan > 1 else rng.uniform(0.3, 1, shape)
            parts.append(made.ravel())
            return made

        def check_all_taken(self) -> None:
            """There is no file."""

    before, darknet_graph.Weights = darknet_graph.Weights, Making
    try:
        network.graph()
    finally:
        darknet_graph.Weights = before
    return np.concatenate(parts)
