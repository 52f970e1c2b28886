"""What every importer returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neo_magics.artifact.manifest import TensorSpec


@dataclass(frozen=True)
class ImportedModel:
    """A model as Relax.

    `module` has one function, "main": its parameters are `inputs` in order, its weights constants in its
    body, its result always a tuple in the order of `outputs`. Free dimensions are TIR variables in it and
    names in the specs; the same name means the same size. `derived_input_config` is the DataInputConfig
    that was used or derived, as JSON. `classes` gives, for an output of whole numbers, the texts that they
    stand for.
    """

    module: Any  # tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    framework_version: str
    derived_input_config: str
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
