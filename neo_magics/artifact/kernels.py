"""What the kernels of an artifact are, beside its manifest: `kernels.json`.

The compiler writes it and the profiler reads it; models run without it. It says which layers and operators
of the source each kernel call came from, and how many operations and bytes a kernel takes.
"""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neo_magics.artifact.strict import HINT, Fields
from neo_magics.errors import ArtifactError

KERNELS = "kernels.json"
KERNELS_FORMAT = 1

# Kernels in the library that measure the machine: (factors, out, threads, steps) and (data, out, threads).
RULER_FLOPS, RULER_READ = "neo_ruler_flops", "neo_ruler_read"
RULER_SUMS, RULER_STREAMS = 12, 8  # vectors that each of them works on at once
RULER_THREADS = 1024  # rows of `out`

# Calls all kernels: (inputs…, outputs…, addresses of the weights, workspace); bytes of workspace: (inputs…).
DIRECT, DIRECT_WORKSPACE = "neo_direct", "neo_direct_workspace"


@dataclass(frozen=True)
class Source:
    """An operator of the model as its author wrote it.

    `layer` is the framework's name of the place ("layer1.0.conv1", an ONNX node), "" where it has none;
    `kind` the layer's class ("Conv2d") or ""; `operator` the framework's operator ("conv2d").
    """

    layer: str
    kind: str
    operator: str

    @property
    def place(self) -> str:
        """The layer, or the operator where the layer has no name; a mere number needs the layer's class."""
        numbered = self.layer.rpartition(".")[2].isdecimal()
        return f"{self.layer} {self.kind}".rstrip() if numbered else self.layer or self.operator


@dataclass(frozen=True)
class Count:
    """A number that may depend on free dimensions: the sum of coefficient × sizes for each term.

    A size is a name, or an expression of names such as "(n + 3) // 4 * 4".
    """

    terms: tuple[tuple[int, tuple[str, ...]], ...] = ()

    def at(self, sizes: Mapping[str, int]) -> int:
        """The number for known sizes of the free dimensions; an unknown one counts as 1."""
        return sum(number * math.prod(_size(name, sizes) for name in names) for number, names in self.terms)

    @classmethod
    def from_json(cls, body: Any, source: Fields, name: str) -> Count:
        """The count in a kernel's field `name`: [[number, [names…]], …]."""
        try:
            return cls(tuple((int(number), tuple(map(str, names))) for number, names in body))
        except (TypeError, ValueError) as error:
            raise source.error(name, "a list of [number, names]") from error


@dataclass(frozen=True)
class Kernel:
    """One compiled kernel.

    `rule` is the schedule rule that took it ("" for none), `operators` what was fused into it. `flops` are
    float operations as they are executed (padding included), `bytes_read` and `bytes_written` each tensor's
    elements once. `arguments` are the shapes of its tensors, free dimensions by name.
    """

    name: str
    rule: str
    operators: tuple[str, ...]
    flops: Count
    bytes_read: Count
    bytes_written: Count
    arguments: tuple[tuple[int | str, ...], ...]

    @classmethod
    def from_fields(cls, source: Fields) -> Kernel:
        """The kernel in a JSON object."""
        counts = {
            name: Count.from_json(source.values.get(name), source, name)
            for name in ("flops", "bytes_read", "bytes_written")
        }
        arguments = source.values.get("arguments")
        if not isinstance(arguments, list) or not all(isinstance(shape, list) for shape in arguments):
            raise source.error("arguments", "a list of shapes")
        return cls(
            name=source.text("name"),
            rule=source.text("rule"),
            operators=_texts(source, "operators"),
            arguments=tuple(map(tuple, arguments)),
            **counts,
        )

    def sizes(self, shapes: list[tuple[int, ...]]) -> dict[str, int]:
        """The sizes of free dimensions when the kernel is called with tensors of `shapes`."""
        found: dict[str, int] = {}
        for declared, given in zip(self.arguments, shapes, strict=False):
            found |= {
                name: size for name, size in zip(declared, given, strict=False) if isinstance(name, str)
            }
        return found


@dataclass(frozen=True)
class Call:
    """One call of a kernel, and the sources that it computes."""

    kernel: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class KernelTable:
    """All kernels, the calls of the model in the order in which they happen, and the vectors' lanes."""

    kernels: tuple[Kernel, ...]
    calls: tuple[Call, ...]
    lanes: int  # float32 elements of a vector register; the ruler's kernels are written for it

    def write(self, folder: Path) -> None:
        """Write `kernels.json`; sources that many calls share are written once."""
        sources = list(dict.fromkeys(source for call in self.calls for source in call.sources))
        number = {source: index for index, source in enumerate(sources)}
        body = {
            "format": KERNELS_FORMAT,
            "lanes": self.lanes,
            "sources": [asdict(source) for source in sources],
            "kernels": [_kernel_body(kernel) for kernel in self.kernels],
            "calls": [
                {"kernel": call.kernel, "sources": [number[source] for source in call.sources]}
                for call in self.calls
            ],
        }
        (folder / KERNELS).write_text(json.dumps(body, separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> KernelTable:
        """The table of an artifact; `ArtifactError` where it is missing or malformed."""
        try:
            text = (folder / KERNELS).read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise ArtifactError(
                f"The artifact has no {KERNELS}, so its kernels cannot be told apart.",
                hint="It was compiled by an older version: compile the model again.",
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{KERNELS} cannot be read: {error}.", hint=HINT) from error
        body = Fields.parse(text, KERNELS)
        if body.count("format") > KERNELS_FORMAT:
            raise ArtifactError(
                f"{KERNELS} has format {body.count('format')}; this version reads up to {KERNELS_FORMAT}.",
                hint="Upgrade neo-magics on this machine.",
            )
        sources = [
            Source(each.text("layer"), each.text("kind"), each.text("operator"))
            for each in body.objects("sources")
        ]
        kernels = tuple(map(Kernel.from_fields, body.objects("kernels")))
        return cls(
            kernels, tuple(_call(each, sources) for each in body.objects("calls")), body.count("lanes")
        )


_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _size(text: str, sizes: Mapping[str, int]) -> int:
    """A size's number; 1 where it is an expression of other kinds than those above."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Name):
            return sizes.get(node.id, 1)
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return int(_OPERATORS[type(node.op)](value(node.left), value(node.right)))
        raise ValueError(ast.dump(node))

    try:
        return value(ast.parse(text, mode="eval").body)
    except (ValueError, SyntaxError, ZeroDivisionError):
        return 1


def _kernel_body(kernel: Kernel) -> dict[str, Any]:
    counts = {name: getattr(kernel, name).terms for name in ("flops", "bytes_read", "bytes_written")}
    return {**asdict(kernel), **counts}


def _call(fields: Fields, sources: list[Source]) -> Call:
    numbers = fields.values.get("sources")
    known = range(len(sources))
    if not isinstance(numbers, list) or not all(isinstance(n, int) and n in known for n in numbers):
        raise fields.error("sources", "a list of places in the list of sources")
    return Call(fields.text("kernel"), tuple(sources[number] for number in numbers))


def _texts(fields: Fields, name: str) -> tuple[str, ...]:
    values = fields.values.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise fields.error(name, "a list of texts")
    return tuple(values)
