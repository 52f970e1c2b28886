"""Linear models, linear and kernel support vectors, naive Bayes and the perceptron with hidden layers.

All are computed in float64, which is what scikit-learn fits them in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tvm import relax

from neo_magics.compiler.frontends.estimators.common import (
    WIDE,
    Classes,
    affine,
    most_probable,
    normalised,
    positive_place,
    two_columns,
)
from neo_magics.compiler.frontends.tabular import Graph


def regress_linear(graph: Graph, model: Any, x: Any) -> Any:
    """All regressors with `coef_` and `intercept_`."""
    weight = np.atleast_2d(np.asarray(model.coef_, np.float64)).T
    return affine(graph, x, weight, model.intercept_)


def regress_generalised(graph: Graph, model: Any, x: Any) -> Any:
    """PoissonRegressor, GammaRegressor: exp of the linear predictor."""
    return graph.emit(relax.op.exp(regress_linear(graph, model, x)))


def regress_tweedie(graph: Graph, model: Any, x: Any) -> Any:
    """TweedieRegressor: its link is the logarithm or none."""
    logarithm = model.link == "log" or (model.link == "auto" and model.power > 0)
    return (regress_generalised if logarithm else regress_linear)(graph, model, x)


def classify_by_sign(graph: Graph, model: Any, x: Any) -> Classes:
    """Linear classifiers without probabilities: RidgeClassifier, LinearSVC, Perceptron, …"""
    scores = regress_linear(graph, model, x)
    if graph.width(scores) == 1:
        return Classes(positive_place(graph, scores), None)
    return Classes(graph.emit(relax.op.argmax(scores, 1)), None)


def classify_logistic(graph: Graph, model: Any, x: Any) -> Classes:
    """LogisticRegression; of several classes by softmax, or one against the rest (liblinear)."""
    scores = regress_linear(graph, model, x)
    if graph.width(scores) == 1:
        probability = two_columns(graph, graph.emit(relax.op.sigmoid(scores)))
        return Classes(positive_place(graph, scores), probability)
    place = graph.emit(relax.op.argmax(scores, 1))
    if getattr(model, "solver", "") == "liblinear":
        return Classes(place, normalised(graph, graph.emit(relax.op.sigmoid(scores))))
    return Classes(place, graph.emit(relax.op.nn.softmax(scores, 1)))


def classify_sgd(graph: Graph, model: Any, x: Any) -> Classes:
    """SGDClassifier; probabilities for log loss."""
    found = classify_by_sign(graph, model, x)
    if model.loss != "log_loss":
        return found
    positive = graph.emit(relax.op.sigmoid(regress_linear(graph, model, x)))
    two = graph.width(positive) == 1
    return Classes(found.place, two_columns(graph, positive) if two else normalised(graph, positive))


def sgd_problems(model: Any) -> list[str]:
    """Modified Huber's probabilities have a case of their own."""
    return ["loss='modified_huber'"] if model.loss == "modified_huber" else []


def classify_mlp(graph: Graph, model: Any, x: Any) -> Classes:
    """MLPClassifier."""
    value = _layers(graph, model, x)
    if model.out_activation_ == "softmax":
        return most_probable(graph, graph.emit(relax.op.nn.softmax(value, 1)))
    second = graph.emit(relax.op.sigmoid(value))
    return Classes(positive_place(graph, value), two_columns(graph, second))


def regress_mlp(graph: Graph, model: Any, x: Any) -> Any:
    """MLPRegressor."""
    return _layers(graph, model, x)


def mlp_problems(model: Any) -> list[str]:
    """Several labels at once are another kind of result."""
    multilabel = getattr(model, "out_activation_", "") == "logistic" and model.n_outputs_ > 1
    return ["several labels a row"] if multilabel else []


_ACTIVATIONS = {"relu": relax.op.nn.relu, "tanh": relax.op.tanh, "logistic": relax.op.sigmoid}


def _layers(graph: Graph, model: Any, x: Any) -> Any:
    value, last = graph.cast(x, WIDE), len(model.coefs_) - 1
    for number, (weight, bias) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        value = affine(graph, value, weight, bias)
        if number < last and model.activation != "identity":
            value = graph.emit(_ACTIVATIONS[model.activation](value))
    return value


def classify_gaussian(graph: Graph, model: Any, x: Any) -> Classes:
    """GaussianNB: log prior minus half of the squared distances by variance."""
    centred = _pairs(graph, x, model.theta_, relax.op.subtract)
    squares = graph.emit(relax.op.multiply(centred, centred))
    scaled = graph.emit(relax.op.divide(squares, graph.const(model.var_[None], WIDE)))
    distance = graph.emit(relax.op.sum(scaled, 2))
    constant = np.log(model.class_prior_) - 0.5 * np.sum(np.log(2.0 * np.pi * model.var_), 1)
    half = graph.emit(relax.op.multiply(distance, graph.const(-0.5, WIDE)))
    return _from_logarithms(graph, graph.emit(relax.op.add(half, graph.const(constant, WIDE))))


def classify_multinomial(graph: Graph, model: Any, x: Any) -> Classes:
    """MultinomialNB."""
    return _from_logarithms(graph, affine(graph, x, model.feature_log_prob_.T, model.class_log_prior_))


def classify_complement(graph: Graph, model: Any, x: Any) -> Classes:
    """ComplementNB."""
    prior = model.class_log_prior_ if len(model.classes_) == 1 else np.zeros(len(model.classes_))
    return _from_logarithms(graph, affine(graph, x, model.feature_log_prob_.T, prior))


def classify_bernoulli(graph: Graph, model: Any, x: Any) -> Classes:
    """BernoulliNB: features above `binarize` count as present."""
    value = x
    if model.binarize is not None:
        value = graph.emit(relax.op.greater(x, graph.const(model.binarize, graph.dtype(x))))
    absent = np.log(1 - np.exp(model.feature_log_prob_))
    constant = model.class_log_prior_ + absent.sum(1)
    weight = (model.feature_log_prob_ - absent).T
    return _from_logarithms(graph, affine(graph, value, weight, constant))


def _pairs(graph: Graph, x: Any, points: Any, operator: Any) -> Any:
    """`operator` of each row with each of `points`: [rows, points, features]."""
    rows = graph.emit(relax.op.expand_dims(graph.cast(x, WIDE), 1))
    return graph.emit(operator(rows, graph.const(np.asarray(points)[None], WIDE)))


def _from_logarithms(graph: Graph, joint: Any) -> Classes:
    place = graph.emit(relax.op.argmax(joint, 1))
    return Classes(place, graph.emit(relax.op.nn.softmax(joint, 1)))


def _svm_values(graph: Graph, model: Any, x: Any) -> Any:
    """The kernel of each row with each support vector: [rows, vectors]."""
    vectors = np.asarray(model.support_vectors_, np.float64)
    if model.kernel == "rbf":
        apart = _pairs(graph, x, vectors, relax.op.subtract)
        squared = graph.emit(relax.op.sum(graph.emit(relax.op.multiply(apart, apart)), 2))
        scaled = graph.emit(relax.op.multiply(squared, graph.const(-model._gamma, WIDE)))
        return graph.emit(relax.op.exp(scaled))
    product = graph.emit(relax.op.matmul(graph.cast(x, WIDE), graph.const(vectors.T, WIDE)))
    if model.kernel == "linear":
        return product
    scaled = graph.emit(relax.op.multiply(product, graph.const(model._gamma, WIDE)))
    shifted = graph.emit(relax.op.add(scaled, graph.const(model.coef0, WIDE)))
    if model.kernel == "sigmoid":
        return graph.emit(relax.op.tanh(shifted))
    value = shifted
    for _power in range(int(model.degree) - 1):
        value = graph.emit(relax.op.multiply(value, shifted))
    return value


def regress_svm(graph: Graph, model: Any, x: Any) -> Any:
    """SVR, NuSVR."""
    return affine(graph, _svm_values(graph, model, x), np.asarray(model._dual_coef_).T, model._intercept_)


def classify_svm(graph: Graph, model: Any, x: Any) -> Classes:
    """SVC, NuSVC without probabilities: each pair of classes votes, as in libsvm."""
    scores, pairs = svm_pairs(graph, model, x)
    return Classes(_chosen(graph, scores, pairs, len(model.classes_)), None)


def svm_pairs(graph: Graph, model: Any, x: Any) -> tuple[Any, list[tuple[int, int]]]:
    """libsvm's values [rows, pairs], above 0 for a pair's first class, and the pairs of classes."""
    starts = np.cumsum([0, *model._n_support])
    classes = len(model.classes_)
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    weight = np.zeros((len(model.support_vectors_), len(pairs)))
    dual = np.asarray(model._dual_coef_)
    for column, (i, j) in enumerate(pairs):
        weight[starts[i] : starts[i + 1], column] = dual[j - 1, starts[i] : starts[i + 1]]
        weight[starts[j] : starts[j + 1], column] = dual[i, starts[j] : starts[j + 1]]
    return affine(graph, _svm_values(graph, model, x), weight, model._intercept_), pairs


def _chosen(graph: Graph, scores: Any, pairs: list[tuple[int, int]], classes: int) -> Any:
    first = graph.cast(graph.emit(relax.op.greater(scores, graph.const(0.0, WIDE))), WIDE)
    weight, constant = np.zeros((len(pairs), classes)), np.zeros(classes)
    for row, (i, j) in enumerate(pairs):
        weight[row, i] += 1
        weight[row, j] -= 1
        constant[j] += 1
    return graph.emit(relax.op.argmax(affine(graph, first, weight, constant), 1))


def svm_problems(model: Any) -> list[str]:
    """Probabilities of SVC come from a second model and an iteration; use CalibratedClassifierCV."""
    found = (
        ["probability=True (use CalibratedClassifierCV)"]
        if getattr(model, "probability", False) is True
        else []
    )
    if model.kernel not in ("rbf", "linear", "poly", "sigmoid"):
        found.append(f"kernel={model.kernel!r}")
    if getattr(model, "break_ties", False):
        found.append("break_ties=True")
    return found


CONVERTERS: dict[str, Any] = {
    **dict.fromkeys(
        (
            "LinearRegression",
            "Ridge",
            "RidgeCV",
            "Lasso",
            "LassoCV",
            "ElasticNet",
            "ElasticNetCV",
            "BayesianRidge",
            "ARDRegression",
            "HuberRegressor",
            "SGDRegressor",
            "LinearSVR",
            "TheilSenRegressor",
            "Lars",
            "LassoLars",
            "QuantileRegressor",
            "OrthogonalMatchingPursuit",
            "OrthogonalMatchingPursuitCV",
            "LarsCV",
            "LassoLarsCV",
            "LassoLarsIC",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "PassiveAggressiveRegressor",
        ),
        regress_linear,
    ),
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor"), regress_generalised),
    "TweedieRegressor": regress_tweedie,
    **dict.fromkeys(
        ("RidgeClassifier", "RidgeClassifierCV", "LinearSVC", "Perceptron", "PassiveAggressiveClassifier"),
        classify_by_sign,
    ),
    "LogisticRegression": classify_logistic,
    "LogisticRegressionCV": classify_logistic,
    "SGDClassifier": classify_sgd,
    "MLPClassifier": classify_mlp,
    "MLPRegressor": regress_mlp,
    "GaussianNB": classify_gaussian,
    "MultinomialNB": classify_multinomial,
    "ComplementNB": classify_complement,
    "BernoulliNB": classify_bernoulli,
    "SVR": regress_svm,
    "NuSVR": regress_svm,
    "SVC": classify_svm,
    "NuSVC": classify_svm,
}
PROBLEMS: dict[str, Any] = {
    "SGDClassifier": sgd_problems,
    "MLPClassifier": mlp_problems,
    **dict.fromkeys(("SVR", "NuSVR", "SVC", "NuSVC"), svm_problems),
}
