"""scikit-learn's estimators as Relax, one file per family.

A converter is `(graph, estimator, x) → value` for transformers and regressors, and `→ Classes` for
classifiers. Regressors return [rows, outputs]. A family's table `CONVERTERS` maps the class names that it
takes; `PROBLEMS` maps some of them to a function that says which option of the estimator is not supported.
"""
