"""Whether an unpacked archive holds what SageMaker Neo asks of its framework: one model file, at the root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neo_magics.api.frameworks import refusal
from neo_magics.errors import InputError

OWN_FOLDER = "neo_magics"  # example inputs and the like, from our own capture


@dataclass(frozen=True)
class _Rule:
    framework: str  # as it is written
    word: str  # Neo's word for the file
    suffixes: tuple[str, ...]


_RULES = {
    "PYTORCH": _Rule("PyTorch", "pth", (".pth", ".pt", ".pt2")),
    "ONNX": _Rule("ONNX", "onnx", (".onnx",)),
}
_SELECT = "Please make sure the framework you select is correct."


def check_model_files(folder: Path, framework: str) -> Path:
    """The one model file of `framework` in `folder`.

    Raises InputError in Neo's words where there is none, or more than one, or the framework is not
    supported here.
    """
    if framework not in _RULES:
        raise InputError(refusal(framework) + ".")
    rule = _RULES[framework]
    files = _files(folder)
    found = [path for path in files if path.suffix.lower() in rule.suffixes]
    at_root = [path for path in found if path.parent == Path()]
    if len(at_root) == 1:
        return folder / at_root[0]
    if at_root:
        raise _several(rule, at_root)
    raise _none(rule, found, files)


def _files(folder: Path) -> list[Path]:
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path for path in paths if path.parts[0] != OWN_FOLDER]


def _none(rule: _Rule, nested: list[Path], files: list[Path]) -> InputError:
    if nested:
        return InputError(
            f"No {rule.word} file found for {rule.framework} model at the archive's root; there is {nested[0]}.",
            hint="Pack the file itself, not its folder: `tar -C FOLDER -czf model.tar.gz FILE`.",
        )
    held = f"The archive holds: {_names(files)}." if files else "The archive is empty."
    wanted = " or ".join(rule.suffixes)
    return InputError(
        f"No {rule.word} file found for {rule.framework} model. {_SELECT} {held}",
        hint=f"Pack exactly one {wanted} file at the archive's root.",
    )


def _several(rule: _Rule, found: list[Path]) -> InputError:
    return InputError(
        f"{len(found)} {rule.word} files found for {rule.framework} model: {_names(found)}.",
        hint="Keep exactly one model file in the archive.",
    )


def _names(files: list[Path], at_most: int = 8) -> str:
    more = f" and {len(files) - at_most} more" if len(files) > at_most else ""
    return ", ".join(map(str, files[:at_most])) + more
