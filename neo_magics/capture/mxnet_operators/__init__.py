"""MXNet's operators in terms of ONNX's, one function each, under all names that MXNet gave them."""

from neo_magics.capture.mxnet_file import Node
from neo_magics.capture.mxnet_operators import elementwise, layers, recurrent, shapes
from neo_magics.capture.mxnet_operators.layer import Check, Converter, Layer

__all__ = ["JOINED", "LABELLED", "OPERATORS", "ZEROS", "Layer", "refused"]

JOINED = frozenset({"Concat", "concat", "_rnn_param_concat"})
ZEROS = frozenset({"_zeros", "_zeros_without_dtype"})  # the first states of recurrent layers

LABELLED = frozenset(
    {"SoftmaxOutput", "Softmax", "LinearRegressionOutput", "LogisticRegressionOutput", "MAERegressionOutput"}
)
_FAMILIES = (elementwise, layers, recurrent, shapes)
OPERATORS: dict[str, Converter] = {name: made for each in _FAMILIES for name, made in each.OPERATORS.items()}
_CHECKS: dict[str, Check] = {name: check for each in _FAMILIES for name, check in each.CHECKS.items()}


def refused(node: Node) -> str:
    """What of `node` is not known: the operator, or an option of it; "" if nothing."""
    if node.operator in ZEROS or node.operator == "_rnn_param_concat":
        return ""
    if node.operator not in OPERATORS:
        return node.operator
    check = _CHECKS.get(node.operator)
    reason = check(node) if check else ""
    return f"{node.operator} with {reason}" if reason else ""
