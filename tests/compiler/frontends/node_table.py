"""How the node cases ended, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PASSED, REFUSED, FAILED, WRONG = "passed", "refused", "failed", "wrong"
EXPANDED = "functions, expanded"
_REST = "element by element"
_FAMILIES = """
attention: Attention LinearAttention CausalConvWithState RotaryEmbedding
casts: Cast CastLike BitCast
control flow: If Loop Scan
convolution, pooling, resizing: AffineGrid AveragePool Col2Im Conv ConvTranspose DeformConv DepthToSpace
    GlobalAveragePool GlobalMaxPool GridSample LpPool MaxPool MaxUnpool Resize RoiAlign SpaceToDepth Upsample
indexing, shapes: ArrayFeatureExtractor CenterCropPad Concat ConstantOfShape Expand EyeLike Flatten Gather
    GatherElements GatherND Identity OneHot Pad Range Reshape ReverseSequence Scatter ScatterElements
    ScatterND Shape Size Slice Split Squeeze TensorScatter Tile TopK Transpose Trilu Unsqueeze
losses: NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss
matrices: Det Einsum Gemm MatMul
normalisation: BatchNormalization Dropout GroupNormalization Hardmax InstanceNormalization LRN
    LayerNormalization LogSoftmax LpNormalization MeanVarianceNormalization RMSNormalization Softmax
quantised: ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv QLinearMatMul
    QuantizeLinear
random, pictures: Bernoulli ImageDecoder
recurrent: GRU LSTM RNN
reductions: ArgMax ArgMin CumProd CumSum ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
signal: BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT
sizes that the data decide: Compress NonMaxSuppression NonZero Unique
tables, trees: Binarizer LabelEncoder TfIdfVectorizer TreeEnsemble
"""


@dataclass(frozen=True)
class Outcome:
    """How a case ended: "passed"; "refused" by the import, with a reason; "failed" or "wrong" behind it.

    `default` is how TVM's default pipeline ended where ours did not pass behind the import, else "".
    """

    case: str
    operator: str
    result: str
    reason: str = ""
    default: str = ""


def _families() -> dict[str, str]:
    """The family of each operator that has one of its own."""
    text = _FAMILIES.strip().replace("\n    ", " ")
    lines = (line.split(": ") for line in text.splitlines())
    return {operator: family for family, operators in lines for operator in operators.split()}


def by_family(outcomes: Sequence[Outcome]) -> str:
    """A Markdown table of what passes."""
    families = {**_families(), EXPANDED: EXPANDED}
    rows = ["| family | cases | pass | refused | failed or wrong |", "|---|---|---|---|---|"]
    for family in [*dict.fromkeys(families.values()), _REST]:
        own = [o.result for o in outcomes if families.get(o.operator, _REST) == family]
        passed, refused = own.count(PASSED), own.count(REFUSED)
        if own:
            rows.append(f"| {family} | {len(own)} | {passed} | {refused} | {len(own) - passed - refused} |")
    return "\n".join(rows)


def table(outcomes: Sequence[Outcome]) -> str:
    """The pass rate, the operators that pass in part or not at all, and why."""
    by_result = {name: sum(o.result == name for o in outcomes) for name in (PASSED, REFUSED, WRONG, FAILED)}
    counts = ", ".join(f"{count} {name}" for name, count in by_result.items())
    lines = [f"{len(outcomes)} cases: {counts} ({by_result[PASSED] / max(1, len(outcomes)):.1%} pass)"]
    for operator in sorted({o.operator for o in outcomes if o.result != PASSED}):
        own = [o for o in outcomes if o.operator == operator]
        bad = [o for o in own if o.result != PASSED]
        lines.append(f"{operator or 'crashed'}: {len(own) - len(bad)} of {len(own)} pass")
        lines += [f"    {word}" for word in sorted({_why(o) for o in bad})]
    return "\n".join(lines)


def _why(outcome: Outcome) -> str:
    worse = "; TVM's default passes" if outcome.default == PASSED else ""
    return f"{outcome.case}: {outcome.result}, {outcome.reason}{worse}"
