"""Converters for PyTorch operators that TVM's importer gets wrong or does not know.

One file per family. Each converter says what was wrong; each has a test that plain TVM fails.
A converter takes the fx node and the importer, whose `env` maps nodes to Relax expressions and whose
`block_builder` emits.
"""

from neo_magics.compiler.frontends.torch_fixes import (
    arithmetic,
    bags,
    checks,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    matmul,
    normalisation,
    recurrent,
    reductions,
    resize,
    sampling,
    scans,
    shapes,
    windows,
)

_FAMILIES = (
    arithmetic,
    bags,
    checks,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    matmul,
    normalisation,
    recurrent,
    reductions,
    resize,
    sampling,
    scans,
    shapes,
    windows,
)
CONVERTERS = {name: convert for family in _FAMILIES for name, convert in family.CONVERTERS.items()}
