"""The scikit-learn interface: linear models, paths and cross-validation, files of fitted models."""

from __future__ import annotations

from . import plots
from ._tensor_file import ModelFileError
from .elastic_net import ElasticNet, Lasso
from .elastic_net_cv import ElasticNetCV, LassoCV
from .glm import GeneralizedLinearRegressor, PoissonRegressor
from .huber import HuberRegressor
from .linear import LinearRegression
from .logistic import LogisticRegression
from .logistic_cv import LogisticRegressionCV
from .mlp_classifier import MLPClassifier
from .mlp_regressor import MLPRegressor
from .model_file import load, read_metadata
from .paths import RegularizationPath, regularization_path
from .plots import DescentPath
from .progress import ProgressBar
from .ridge import Ridge
from .ridge_cv import RidgeCV
from .sgd_classifier import SGDClassifier
from .sgd_regressor import SGDRegressor
from .summary import CoefficientSummary

__all__ = [
    "CoefficientSummary",
    "DescentPath",
    "ElasticNet",
    "ElasticNetCV",
    "GeneralizedLinearRegressor",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MLPClassifier",
    "MLPRegressor",
    "ModelFileError",
    "PoissonRegressor",
    "ProgressBar",
    "RegularizationPath",
    "Ridge",
    "RidgeCV",
    "SGDClassifier",
    "SGDRegressor",
    "load",
    "plots",
    "read_metadata",
    "regularization_path",
]
