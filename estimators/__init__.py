"""The scikit-learn interface: eight linear models, and the file that keeps a fitted one."""

from __future__ import annotations

from ._tensor_file import ModelFileError
from .glm import GeneralizedLinearRegressor, PoissonRegressor
from .huber import HuberRegressor
from .linear import LinearRegression
from .logistic import LogisticRegression
from .model_file import load, read_metadata
from .ridge import Ridge
from .sgd_classifier import SGDClassifier
from .sgd_regressor import SGDRegressor

__all__ = [
    "GeneralizedLinearRegressor",
    "HuberRegressor",
    "LinearRegression",
    "LogisticRegression",
    "ModelFileError",
    "PoissonRegressor",
    "Ridge",
    "SGDClassifier",
    "SGDRegressor",
    "load",
    "read_metadata",
]
