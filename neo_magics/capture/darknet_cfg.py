"""Darknet's two files: `.cfg`, sections of options in the layers' order, and `.weights`, plain floats."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neo_magics.errors import InputError

Floats = np.ndarray[tuple[int], np.dtype[np.float32]]
_NETWORK = ("net", "network")


@dataclass(frozen=True)
class Section:
    """One layer. `index` counts from 0 after the network's own section; `options` are texts."""

    kind: str
    index: int
    options: dict[str, str]

    @property
    def name(self) -> str:
        """As OpenCV names it: "convolutional_0"."""
        return f"{self.kind}_{self.index}"

    def whole(self, key: str, default: int) -> int:
        """An option that is a whole number."""
        return int(self._number(key, str(default)))

    def real(self, key: str, default: float) -> float:
        """An option that is a number."""
        return self._number(key, str(default))

    def several(self, key: str) -> list[float]:
        """An option that is a list of numbers."""
        return [self._parsed(key, part) for part in self.options.get(key, "").split(",") if part.strip()]

    def _number(self, key: str, default: str) -> float:
        return self._parsed(key, self.options.get(key, default))

    def _parsed(self, key: str, text: str) -> float:
        try:
            return float(text)
        except ValueError as error:
            raise InputError(
                f"Section {self.name} of the .cfg says {key}={text}, which is not a number.",
                hint="Correct that line.",
            ) from error


def read_cfg(text: str, name: str) -> tuple[Section, list[Section]]:
    """The network's section and the layers; `InputError` for what is no configuration of Darknet."""
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].split(";")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            sections.append(Section(line[1:-1].strip().lower(), len(sections) - 1, {}))
        elif line:
            key, equals, value = line.partition("=")
            if not equals or not sections:
                raise InputError(
                    f"Line {number} of {name} is not a Darknet option: {line[:60]!r}.",
                    hint="Each line is [section] or option=value, after a [net] section.",
                )
            sections[-1].options[key.strip()] = value.strip()
    if not sections or sections[0].kind not in _NETWORK or len(sections) == 1:
        raise InputError(
            f"{name} is not a configuration of Darknet: it does not begin with [net] and layers.",
            hint="Give the .cfg that the model was trained with.",
        )
    return sections[0], sections[1:]


class Weights:
    """The numbers of a `.weights` file, taken one layer after the other."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes()
        if len(content) < 16:
            raise InputError(f"{path.name} is cut short: {len(content)} bytes.", hint="Copy it again.")
        major, minor = (int(number) for number in np.frombuffer(content, "<i4", 2))
        wide = major * 10 + minor >= 2 and major < 1000 and minor < 1000
        self.transposed = major > 1000 or minor > 1000  # fully connected layers of old files
        self._name, begin = path.name, 20 if wide else 16
        self._values: Floats = np.frombuffer(
            content[begin : len(content) - (len(content) - begin) % 4], "<f4"
        )
        self._at = 0

    def take(self, layer: str, *shape: int) -> Floats:
        """The next numbers; `InputError` where the file ends in this layer or holds NaN there."""
        count = int(np.prod(shape))
        part = self._values[self._at : self._at + count]
        if len(part) < count:
            raise InputError(
                f"{self._name} ends in layer {layer}: {len(self._values)} numbers are too few.",
                hint="The file is cut short, or belongs to another .cfg.",
            )
        if not np.isfinite(part).all():
            raise InputError(
                f"The weights of layer {layer} in {self._name} are not finite.", hint="Train the model again."
            )
        self._at += count
        return part.reshape(shape)

    def check_all_taken(self) -> None:
        """Numbers that no layer takes mean that the two files do not belong together."""
        rest = len(self._values) - self._at
        if rest:
            raise InputError(
                f"{self._name} has {rest} numbers more than the layers of the .cfg take.",
                hint="Give the .cfg that belongs to these weights.",
            )
