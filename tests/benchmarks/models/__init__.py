"""The models of the benchmark: usual architectures with random weights, in plain torch.nn.

`CASES` names every model with its inputs; a name such as "resnet18" is batch 1 at the usual size, and what
follows a "-" is a variant: "b8" (batch 8), "225" (odd image), "s77" (odd sequence), "odd" (odd channels).
"""

from __future__ import annotations

from tests.benchmarks.models.cases import CASES, STANDARD, Case, select

__all__ = ["CASES", "STANDARD", "Case", "select"]
