"""Which share of a model's arithmetic runs in a narrow dtype."""

from __future__ import annotations

from typing import Any

from neo_magics.artifact.kernels import KernelTable

NARROW = "narrow"  # the first word of the rules that schedule kernels of narrow numbers


def describe_precision(precision: str, table: KernelTable) -> dict[str, Any]:
    """The manifest's `precision`: the dtype that was asked for and the share of all operations done in it.

    Each call of a kernel counts; a free dimension counts as one.
    """
    if precision == "float32":
        return {}
    kernels = {kernel.name: kernel for kernel in table.kernels}
    work = [(kernels[call.kernel], kernels[call.kernel].flops.at({})) for call in table.calls]
    total = sum(flops for _kernel, flops in work)
    narrow = sum(flops for kernel, flops in work if kernel.rule.startswith(NARROW))
    return {"dtype": precision, "share": round(narrow / total, 4) if total else 0.0}


def precision_text(said: Any) -> str:
    """`93 % of the arithmetic in bfloat16, the rest in float32`; "" for float32."""
    if not said:
        return ""
    return f"{said['share']:.0%} of the arithmetic in {said['dtype']}, the rest in float32"
