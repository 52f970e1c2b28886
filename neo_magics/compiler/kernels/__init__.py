"""What our own kernels compute, as tensor expressions; `schedules` says how.

Each reduction carries the annotation `KERNEL`, which is how its schedule rule finds it after fusion, and its
register tile as `TILE`.
"""

KERNEL = "neo_kernel"
TILE = "neo_tile"

# TVM's pattern of an operator that computes each element from the same elements of its operands.
ELEMENTWISE = 0
# TVM's pattern of an operator that takes element-wise followers into its kernel.
FUSES_ELEMENTWISE = 4
# TVM's pattern of one whose elements may come from anywhere: no convolution takes it into its kernel.
INJECTIVE = 2
# TVM's pattern of an operator that nothing is fused with.
OPAQUE = 8
