"""From scheduled kernels to what LLVM compiles: TVM's own lowering, with our passes in it."""

from __future__ import annotations

from typing import Any

import tvm
from tvm import s_tir, tirx

from neo_magics.compiler.passes.keep_on_stack import KeepOnStack
from neo_magics.compiler.passes.keep_quotients import KeepQuotients
from neo_magics.compiler.passes.wake_for_much import WakeForMuch

PIPELINE = "neo_magics"


def register_pipeline() -> str:
    """The lowering under a name that `relax.build` takes."""
    tvm.tirx.register_tir_pipeline(PIPELINE, _pipeline)
    return PIPELINE


def _pipeline() -> tuple[Any, Any, Any]:
    lowering, finish_host, finish_device = tvm.tirx.get_tir_pipeline("default")
    opaque = [  # TVM's own first steps; done again they change nothing
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
    ]
    lowered = [WakeForMuch(), tirx.transform.ConvertSSA(), KeepOnStack()]
    return (
        tvm.transform.Sequential([*opaque, KeepQuotients(), lowering]),
        lambda: tvm.transform.Sequential([*lowered, finish_host()]),
        finish_device,
    )
