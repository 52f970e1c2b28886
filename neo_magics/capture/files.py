"""The one model file of an unpacked archive, found as Neo finds it."""

from __future__ import annotations

from pathlib import Path

from neo_magics.capture.archive import EXTRAS
from neo_magics.errors import InputError

_SUFFIXES = {
    "PYTORCH": (".pt2", ".pth", ".pt"),
    "ONNX": (".onnx",),
    "KERAS": (".h5", ".keras", ".pt2"),
    "TFLITE": (".tflite",),
    "DARKNET": (".cfg",),
    "MXNET": (".params",),
    "TENSORFLOW": (".pb", ".pbtxt"),
    "XGBOOST": (".model", ".json", ".ubj"),
    "SKLEARN": (".skops", ".joblib", ".pkl", ".txt"),
}
_NOTES = ("fingerprint.pb", "keras_metadata.pb")  # what TensorFlow writes beside a SavedModel
_WORDS = {
    "PYTORCH": ("pth", "PyTorch"),
    "ONNX": ("onnx", "ONNX"),
    "KERAS": ("h5", "Keras"),
    "TFLITE": ("tflite", "TFLite"),
    "DARKNET": ("cfg", "Darknet"),
    "MXNET": ("params", "MXNet"),
    "TENSORFLOW": ("pb", "TensorFlow"),
    "XGBOOST": ("model", "XGBoost"),
    "SKLEARN": ("skops", "scikit-learn"),
}


def files_in(folder: Path) -> list[Path]:
    """The files at the root of `folder`, without what macOS's tar puts beside each: ._model.onnx."""
    return [path for path in folder.iterdir() if path.is_file() and not path.name.startswith("._")]


def model_file(folder: Path, framework: str) -> Path:
    """The model file of `framework` at the root of `folder`; `InputError` for none or several."""
    suffixes = _SUFFIXES[framework]
    files = [path for path in files_in(folder) if path.name not in _NOTES]
    found = sorted(path for path in files if path.suffix.lower() in suffixes)
    if len(found) == 1:
        return found[0]
    word, name = _WORDS[framework]
    if not found:
        inside = sorted(p.name for p in folder.iterdir() if p.name != EXTRAS)[:8]
        raise InputError(
            f"No {word} file found for {name} model. Please make sure the framework you select is correct.",
            hint=f"The archive holds {', '.join(inside) or 'nothing'}; "
            f"put one file that ends in {' or '.join(suffixes)} at its root.",
        )
    listed = ", ".join(p.name for p in found)
    raise InputError(
        f"Found {len(found)} {word} files for {name} model: {listed}. An archive holds one model.",
        hint="Put each model into an archive of its own.",
    )
