"""The frame of passes that rewrite `main` call by call for a machine."""

from __future__ import annotations

from typing import Any, ClassVar

import tvm
from tvm.relax.expr_functor import PyExprMutator

from neo_magics.compiler.machine import Machine
from neo_magics.compiler.passes import calls


class ForMachine(PyExprMutator):  # type: ignore[misc]
    """A mutator that knows the machine it rewrites for."""

    def __init__(self, module: tvm.IRModule, machine: Machine) -> None:
        super().__init__(module)
        self.machine = machine


class RewritesMain:
    """A module pass: `rewriter` (a ForMachine behind TVM's `mutator`) goes over `main`."""

    rewriter: ClassVar[Any]

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def transform_module(self, module: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """`module` with `main` rewritten; what nothing reads any more is left to dead code elimination."""
        return calls.rewrite_entry(self.rewriter(module, self.machine), module)
