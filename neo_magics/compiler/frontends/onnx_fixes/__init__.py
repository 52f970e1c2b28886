"""Converters for ONNX operators that TVM's importer gets wrong or does not know.

One file per family. Each converter says what was wrong ("TVM: …"); each has a test that plain TVM fails. A
converter takes a `Node` and returns the operator's output, a relax.Tuple of its outputs, or None where TVM's
converter is right; a form that it does not convert it refuses with `node.unsupported`. Those of CONTROL take
the importer of subgraphs too.
"""

from neo_magics.compiler.frontends.onnx_fixes import (
    casts,
    contrib_activations,
    contrib_attention,
    contrib_bytes,
    contrib_norms,
    contrib_products,
    control,
    cumulative,
    elementwise,
    indexing,
    linear_algebra,
    ml_linear,
    ml_trees,
    normalisation,
    ordering,
    padded,
    quantization,
    quantized_contrib,
    quantized_products,
    recurrent,
    reductions,
    resize,
    sampling,
    selection,
    signal,
    sizes,
    slices,
    vocabulary,
)

_FAMILIES = (
    casts,
    contrib_activations,
    contrib_attention,
    contrib_bytes,
    contrib_norms,
    contrib_products,
    cumulative,
    elementwise,
    indexing,
    linear_algebra,
    ml_linear,
    ml_trees,
    normalisation,
    ordering,
    padded,
    quantization,
    quantized_contrib,
    quantized_products,
    recurrent,
    reductions,
    resize,
    sampling,
    selection,
    signal,
    sizes,
    slices,
    vocabulary,
)
CONVERTERS = {name: convert for family in _FAMILIES for name, convert in family.CONVERTERS.items()}
CONTROL = control.CONVERTERS
