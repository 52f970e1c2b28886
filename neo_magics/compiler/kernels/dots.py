"""Instructions that sum products of narrow numbers: two bf16 or four 8-bit products for each 32-bit lane.

A kernel that uses one says so in plain loops (products of `Dot.widen`ed numbers, summed over groups); the
schedule replaces the innermost ones by the instruction. Without it the loops are still right, only slow.

bfloat16 numbers travel as their 16 bits in uint16: TVM computes with its own bfloat16 only after widening it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from tvm import te, tirx
from tvm.s_tir import TensorIntrin
from tvm.script import tirx as T

DOT = "neo_dot"  # annotation of a block: the name of the instruction that it is written for


@dataclass(frozen=True)
class Dot:
    """result[lane] += Σ data[k] · weight[lane, k] for k < `group`, the data the same for all lanes.

    `data`, `weight` and `result` are dtypes. `intrinsic` is LLVM's name of the instruction, `needs` what
    makers of processors call having it (`machine.describe` knows who has).
    """

    name: str
    data: str
    weight: str
    result: str
    group: int
    lanes: int
    intrinsic: str
    needs: str

    def widen(self, value: Any) -> Any:
        """A narrow number in the dtype of the sums."""
        if self.result == "int32":
            return value.astype("int32")
        return tirx.reinterpret("float32", value.astype("uint32") << tirx.const(16, "uint32"))

    @property
    def function(self) -> str:
        """The name of the instruction as a function of 32-bit words."""
        return f"neo_dot_{self.name}_{self.lanes}"

    @property
    def code(self) -> str:
        """That function in LLVM's language: the instruction's own operands have dtypes that TVM lacks."""
        sums, narrow = ("i32", "i8") if self.result == "int32" else ("float", "bfloat")
        return _CODE.format(
            function=self.function,
            lanes=self.lanes,
            sums=f"<{self.lanes} x {sums}>",
            words=f"<{self.lanes} x i32>",
            narrow=f"<{self.lanes * self.group} x {narrow}>",
            intrinsic=self.intrinsic,
        )


# vdpbf16ps: exact products, added in float32; denormals count as zero (Intel's manual, AVX512-BF16).
BF16 = Dot("bf16", "uint16", "uint16", "float32", 2, 16, "llvm.x86.avx512bf16.dpbf16ps.512", "AVX512-BF16")
# vpdpbusd: bytes without a sign times bytes with one, exact in int32 (AVX512-VNNI).
INT8 = Dot("int8", "uint8", "int8", "int32", 4, 16, "llvm.x86.avx512.vpdpbusd.512", "AVX512-VNNI")
DOTS = {dot.name: dot for dot in (BF16, INT8)}
PRECISIONS = {"bfloat16": BF16, "int8": INT8}  # the words of CompilerOptions

_CODE = """
declare {sums} @{intrinsic}({sums}, {narrow}, {narrow})
define {sums} @{function}({sums} %sum, i32 %word, {words} %weights) alwaysinline {{
  %first = insertelement {words} poison, i32 %word, i64 0
  %all = shufflevector {words} %first, {words} poison, {words} zeroinitializer
  %data = bitcast {words} %all to {narrow}
  %factors = bitcast {words} %weights to {narrow}
  %result = call {sums} @{intrinsic}({sums} %sum, {narrow} %data, {narrow} %factors)
  ret {sums} %result
}}
"""


def round_to_bfloat16(data: Any) -> Any:
    """float32 → the bits of the nearest bfloat16, ties to even, in uint16; NaN stays NaN."""

    def element(*place: Any) -> Any:
        value = data[place]
        bits = tirx.reinterpret("uint32", value)
        odd = (bits >> tirx.const(16, "uint32")) & tirx.const(1, "uint32")
        nearest = (bits + tirx.const(0x7FFF, "uint32") + odd) >> tirx.const(16, "uint32")
        # `value != value` would be simplified to False.
        is_nan = (bits & tirx.const(0x7FFFFFFF, "uint32")) > tirx.const(0x7F800000, "uint32")
        return tirx.Select(is_nan, tirx.const(0x7FC0, "uint16"), nearest.astype("uint16"))

    return te.compute(data.shape, element, "round_to_bfloat16")


@cache
def tensor_intrinsic(dot: Dot) -> str:
    """The name under which TVM's `tensorize` knows the instruction; registered once for a process."""
    TensorIntrin.register(dot.function, _loops(dot), _instruction(dot), override=True)
    return dot.function


def _loops(dot: Dot) -> Any:
    group, lanes, widen = dot.group, dot.lanes, dot.widen

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def loops(
        A: T.Buffer((group,), dot.data, offset_factor=1),  # type: ignore[valid-type]
        B: T.Buffer((lanes, group), dot.weight, offset_factor=1),  # type: ignore[valid-type]
        C: T.Buffer((lanes,), dot.result, offset_factor=1, scope="local"),  # type: ignore[valid-type]
    ) -> None:
        with T.sblock("root"):
            T.reads(C[0:lanes], A[0:group], B[0:lanes, 0:group])
            T.writes(C[0:lanes])
            for i in T.serial(0, lanes):
                for k in T.serial(0, group):
                    with T.sblock("update"):
                        vi, vk = T.axis.remap("SR", [i, k])
                        C[vi] = C[vi] + widen(A[vk]) * widen(B[vi, vk])

    return loops


def _instruction(dot: Dot) -> Any:
    group, lanes = dot.group, dot.lanes
    few, many = f"{dot.data}x{group}", f"{dot.weight}x{group * lanes}"

    @T.prim_func(s_tir=True)  # type: ignore[untyped-decorator]
    def instruction(
        A: T.Buffer((group,), dot.data, offset_factor=1),  # type: ignore[valid-type]
        B: T.Buffer((lanes, group), dot.weight, offset_factor=1),  # type: ignore[valid-type]
        C: T.Buffer((lanes,), dot.result, offset_factor=1, scope="local"),  # type: ignore[valid-type]
    ) -> None:
        with T.sblock("root"):
            T.reads(C[0:lanes], A[0:group], B[0:lanes, 0:group])
            T.writes(C[0:lanes])
            C[T.ramp(T.int32(0), 1, lanes)] = _call(
                dot, C.vload([0], f"{dot.result}x{lanes}"), A.vload([0], few), B.vload([0, 0], many)
            )

    return instruction


def _call(dot: Dot, sums: Any, data: Any, weights: Any) -> Any:
    word = tirx.reinterpret("int32", data)
    words = tirx.reinterpret(f"int32x{dot.lanes}", weights)
    return tirx.call_pure_extern(f"{dot.result}x{dot.lanes}", dot.function, sums, word, words)
