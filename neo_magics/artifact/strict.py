"""Reading JSON objects field by field, with errors that say which field is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from neo_magics.errors import ArtifactError

HINT = "Fetch the artifact again or compile the model again."


@dataclass(frozen=True)
class Fields:
    """A JSON object and where it stands, as `manifest.json: inputs[0]`."""

    values: Mapping[str, Any]
    where: str

    @classmethod
    def parse(cls, text: str, where: str) -> Fields:
        """The object in `text`; `ArtifactError` where it is no JSON object."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ArtifactError(f"{where} is not valid JSON: {error}.", hint=HINT) from error
        if not isinstance(values, dict):
            raise ArtifactError(f"{where} is not a JSON object.", hint=HINT)
        return cls(values, where)

    def error(self, name: str, expected: str) -> ArtifactError:
        """The error for field `name`, which is missing or is not `expected`."""
        if name not in self.values:
            return ArtifactError(f"{self.where}: the field {name!r} is missing.", hint=HINT, field=name)
        got = repr(self.values[name])
        got = got if len(got) <= 60 else got[:59] + "…"
        return ArtifactError(f"{self.where}: {name!r} must be {expected}, got {got}.", hint=HINT, field=name)

    def text(self, name: str) -> str:
        """A string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            raise self.error(name, "a text")
        return value

    def count(self, name: str) -> int:
        """A whole number, 0 or more."""
        value = self.values.get(name)
        if not _is_count(value):
            raise self.error(name, "a whole number, 0 or more")
        return int(value)  # type: ignore[arg-type]

    def shape(self, name: str) -> tuple[int | str, ...]:
        """A list of whole numbers and names of free dimensions."""
        value = self.values.get(name)
        if not isinstance(value, list) or not all(_is_count(size) or _is_name(size) for size in value):
            raise self.error(name, "a list of whole numbers and names")
        return tuple(value)

    def objects(self, name: str) -> Iterator[Fields]:
        """A list of objects, one after the other."""
        value = self.values.get(name)
        if not isinstance(value, list):
            raise self.error(name, "a list of objects")
        for index, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.error(name, "a list of objects")
            yield Fields(item, f"{self.where}: {name}[{index}]")

    def mapping(
        self, name: str, kind: type | None = None, *, optional: bool = False
    ) -> dict[str, Any] | None:
        """An object, its values of type `kind` where given (float takes whole numbers too)."""
        value = self.values.get(name)
        if value is None and optional and name in self.values:
            return None
        if not isinstance(value, dict) or not all(_is_kind(item, kind) for item in value.values()):
            raise self.error(name, f"an object of {kind.__name__} values" if kind else "an object")
        return value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_kind(value: object, kind: type | None) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind is None or isinstance(value, kind)
