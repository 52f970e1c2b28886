"""What a schedule needs to know of the processor that it writes code for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Sizes that decide tiles and layouts.

    `lanes` are the float32 elements of one vector register, `registers` the number of vector registers,
    `cores` the number of threads that parallel loops may count on (0: unknown), `arch` LLVM's first
    word of the triple ("x86_64", "aarch64", "armv7l"). `dots` are the instructions of kernels.dots that it
    has and that kernels may use, by name.
    """

    arch: str
    lanes: int
    registers: int
    cores: int = 0
    dots: tuple[str, ...] = ()

    @property
    def accumulators(self) -> int:
        """Vector registers that a kernel may fill with sums; the rest holds operands.

        A quarter stays free: LLVM also keeps the epilogue's constants (bias, zero) in registers over the
        whole reduction, and one sum that is spilled halves the speed.
        """
        return self.registers - self.registers // 4


# The widest unit that a feature brings, widest first: (feature, float32 lanes, registers).
_VECTOR_UNITS = {
    "x86_64": (("avx512f", 16, 32), ("avx", 8, 16), ("sse2", 4, 16)),
    "i386": (("avx", 8, 8), ("sse2", 4, 8)),
    "aarch64": (("neon", 4, 32),),
    "arm": (("neon", 4, 16),),
}
_WITHOUT_VECTORS = (4, 16)  # LLVM splits the vectors; a small tile still helps
# What brings each instruction of kernels.dots.
_DOT_FEATURES = {"bf16": "avx512bf16", "int8": "avx512vnni"}


def describe(triple: str, features: set[str], cores: int) -> Machine:
    """The machine behind an LLVM triple and the features that LLVM enables for it."""
    arch = triple.split("-", 1)[0]
    for feature, lanes, registers in _VECTOR_UNITS.get(_family(arch), ()):
        if feature in features:
            dots = tuple(name for name, needed in _DOT_FEATURES.items() if needed in features)
            return Machine(arch, lanes, registers, cores, dots)
    return Machine(arch, *_WITHOUT_VECTORS, cores)


def _family(arch: str) -> str:
    if arch.startswith(("aarch64", "arm64")):
        return "aarch64"
    if arch.startswith(("arm", "thumb")):
        return "arm"
    if arch in ("i386", "i486", "i586", "i686"):
        return "i386"
    return "x86_64" if arch in ("x86_64", "amd64") else arch
