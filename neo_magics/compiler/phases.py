"""Every pass in its order, from what a front end imports to what the virtual machine runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tvm import relax

from neo_magics.compiler.passes.absorb_padding import AbsorbPadding
from neo_magics.compiler.passes.channels_first import ChannelsFirst
from neo_magics.compiler.passes.convolutions_as_products import ConvolutionsAsProducts
from neo_magics.compiler.passes.direct_entry import AddDirectEntry
from neo_magics.compiler.passes.expand_math import ExpandMath
from neo_magics.compiler.passes.fill_lanes import FillLanes
from neo_magics.compiler.passes.flatten_rows import FlattenRows
from neo_magics.compiler.passes.fold_batch_norm import FoldBatchNorm
from neo_magics.compiler.passes.fold_constants import FoldConstants
from neo_magics.compiler.passes.frames_as_images import FramesAsImages
from neo_magics.compiler.passes.free_norms import FreeNorms
from neo_magics.compiler.passes.fuse_attention import FuseAttention
from neo_magics.compiler.passes.fuse_depthwise import FuseDepthwise
from neo_magics.compiler.passes.fuse_scale import FuseScale
from neo_magics.compiler.passes.join_in_place import JoinInPlace
from neo_magics.compiler.passes.keep_indices_inside import KeepIndicesInside
from neo_magics.compiler.passes.keep_joins_apart import KeepJoinsApart
from neo_magics.compiler.passes.keep_sizes_apart import KeepSizesApart
from neo_magics.compiler.passes.lift_constants import LiftConstants
from neo_magics.compiler.passes.lower_norms import LowerNorms
from neo_magics.compiler.passes.lower_orders import LowerOrders
from neo_magics.compiler.passes.lower_precision import QuantizeProducts, RoundToBfloat16
from neo_magics.compiler.passes.lower_recurrent import LowerRecurrent
from neo_magics.compiler.passes.lower_sampling import LowerSampling
from neo_magics.compiler.passes.lower_scans import LowerScans
from neo_magics.compiler.passes.lower_scatters import LowerScatters
from neo_magics.compiler.passes.merge_projections import MergeProjections
from neo_magics.compiler.passes.narrow_operand import Range
from neo_magics.compiler.passes.one_row_images import OneRowImages
from neo_magics.compiler.passes.order_floats import OrderFloats
from neo_magics.compiler.passes.order_pooling import OrderPooling
from neo_magics.compiler.passes.pack_batch_matmuls import PackBatchMatmuls
from neo_magics.compiler.passes.pack_convolutions import PackConvolutions
from neo_magics.compiler.passes.pack_dot_matmuls import PackDotMatmuls
from neo_magics.compiler.passes.pack_matmuls import PackMatmuls
from neo_magics.compiler.passes.scatter_parts import ScatterParts
from neo_magics.compiler.passes.schedule_kernels import KernelReport, ScheduleKernels
from neo_magics.compiler.passes.shorten_mish import ShortenMish
from neo_magics.compiler.passes.size_names import TidyBindings
from neo_magics.compiler.passes.slice_takes import SliceTakes
from neo_magics.compiler.passes.unbroadcast_weights import UnbroadcastWeights
from neo_magics.compiler.passes.widen_halves import WidenHalves
from neo_magics.compiler.schedules import RULES
from neo_magics.compiler.targets import CpuTarget
from neo_magics.compiler.tuning import Choose


def passes(
    target: CpuTarget,
    observe: Callable[[KernelReport], None],
    choose: Choose,
    ranges: Sequence[Range] | None = None,
) -> list[Any]:
    """The pipeline: every pass in its order, from what a front end imports to what the VM runs.

    `ranges` are what `measure_ranges` found, for int8.
    """
    return [*graph_passes(target, choose, ranges), *kernel_passes(target, observe)]


def graph_passes(target: CpuTarget, choose: Choose, ranges: Sequence[Range] | None = None) -> list[Any]:
    """What works on operators."""
    return [*simplify(target), *lower_precision(target, ranges), *pack(target, choose)]


def simplify(target: CpuTarget) -> list[Any]:
    """Phase 1: what is known now is not computed later."""
    return [
        WidenHalves(),
        LowerRecurrent(target.machine),
        relax.transform.CanonicalizeBindings(),
        relax.transform.DeadCodeElimination(["main"]),
        UnbroadcastWeights(),
        FoldConstants(),
        ShortenMish(),
        SliceTakes(),
        relax.transform.CanonicalizeBindings(),
        ChannelsFirst(),
        relax.transform.CanonicalizeBindings(),
        FramesAsImages(),
        relax.transform.CanonicalizeBindings(),
        OneRowImages(),
        relax.transform.CanonicalizeBindings(),
        AbsorbPadding(),
        FoldBatchNorm(),
        *([] if target.strict else [OrderPooling()]),  # other sums, so other roundings
        FoldConstants(),
        relax.transform.CanonicalizeBindings(),
        relax.transform.DeadCodeElimination(["main"]),
        MergeProjections(target.machine),
        FuseAttention(target.machine),
        relax.transform.DeadCodeElimination(["main"]),
    ]


def lower_precision(target: CpuTarget, ranges: Sequence[Range] | None) -> list[Any]:
    """Products in a lower precision, where that was asked for."""
    if target.precision == "bfloat16":
        return [RoundToBfloat16(target.machine)]
    return [QuantizeProducts(target.machine, ranges)] if ranges is not None else []


def pack(target: CpuTarget, choose: Choose) -> list[Any]:
    """Phase 2: layouts that fit the vectors, chosen over the whole graph."""
    return [
        ConvolutionsAsProducts(),
        FillLanes(target.machine),
        PackConvolutions(target.machine, strict=target.strict, choose=choose),
        PackDotMatmuls(target.machine),
        PackMatmuls(target.machine, choose),
        PackBatchMatmuls(target.machine),
        FlattenRows(),
        FreeNorms(),
        LowerNorms(target.machine),
        TidyBindings(),
        relax.transform.DeadCodeElimination(["main"]),
    ]


def kernel_passes(target: CpuTarget, observe: Callable[[KernelReport], None]) -> list[Any]:
    """What works on loops, and on the calls of kernels."""
    return [
        # Phase 3: operators become loops, neighbours one kernel.
        LowerOrders(target.machine),
        LowerScans(target.machine),
        LowerSampling(),
        LowerScatters(target.machine),
        ScatterParts(),
        OrderFloats(),
        relax.backend.DispatchSampling(),
        relax.backend.DispatchSortScan(),
        KeepIndicesInside(),
        relax.transform.LegalizeOps(),
        LiftConstants(),
        relax.transform.BundleModelParams("params"),
        relax.transform.AnnotateTIROpPattern(),
        KeepSizesApart(),
        KeepJoinsApart(target.machine),
        relax.transform.FuseOps(),
        relax.transform.FuseTIR(),
        relax.transform.DeadCodeElimination(["main"]),
        FuseDepthwise(target.machine),
        FuseScale(),
        # Phase 4: loops become vectors, registers and threads.
        ScheduleKernels(RULES, target.machine, observe),
        ExpandMath(),
        # Phase 5: memory is planned, and what is left is the VM's.
        relax.transform.RewriteDataflowReshape(),
        relax.transform.ToNonDataflow(),
        relax.transform.RemovePurityChecking(),
        relax.transform.CallTIRRewrite(),
        JoinInPlace(),
        relax.transform.StaticPlanBlockMemory(),
        AddDirectEntry(),
        relax.transform.LowerAllocTensor(),
        relax.transform.KillAfterLastUse(),
        relax.transform.LowerRuntimeBuiltin(),
        relax.transform.ComputePrimValue(),
        relax.transform.VMShapeLower(),
        relax.transform.AttachGlobalSymbol(),
    ]
