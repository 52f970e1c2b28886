"""Makes the shipped assets: `python -m neo_magics.demo.make_assets` (needs scikit-learn and torch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ASSETS = Path(__file__).parent / "assets"


def write_digits(path: Path) -> None:
    """scikit-learn's digits as bytes, compressed."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    np.savez_compressed(path, images=digits.images.astype(np.uint8), labels=digits.target.astype(np.uint8))


def write_onnx(network: Any, path: Path) -> None:
    """The trained network of `network.py` for one image, written with onnx.helper."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    nodes, tensor, count = [], "image", 0
    for index, layer in enumerate(network):
        kind, attributes = _operator(type(layer).__name__)
        weights = [name for name in (f"{index}.weight", f"{index}.bias") if name in state]
        output = "scores" if index == len(network) - 1 else f"{kind.lower()}_{(count := count + 1)}"
        nodes.append(helper.make_node(kind, [tensor, *weights], [output], **attributes))
        tensor = output
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(value, name) for name, value in state.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="neo_magics.demo", ir_version=9
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _operator(layer: str) -> tuple[str, dict[str, Any]]:
    operators: dict[str, tuple[str, dict[str, Any]]] = {
        "Conv2d": ("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
        "ReLU": ("Relu", {}),
        "MaxPool2d": ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        "Flatten": ("Flatten", {}),
        "Linear": ("Gemm", {"transB": 1}),
    }
    return operators[layer]


def main() -> None:
    """Writes both files below assets/."""
    from neo_magics.demo.digits import load_digits
    from neo_magics.demo.network import train

    ASSETS.mkdir(exist_ok=True)
    write_digits(ASSETS / "digits.npz")
    write_onnx(train(load_digits()), ASSETS / "digits.onnx")


if __name__ == "__main__":
    main()
