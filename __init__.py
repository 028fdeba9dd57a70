"""Linear models fitted on NumPy, Numba, CuPy or JAX arrays in about a dozen reads of the data.

The names below are loaded on first use: ``import xpfit`` imports NumPy and nothing else heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "LinearRegression": "estimators",
    "Ridge": "estimators",
    "RidgeCV": "estimators",
    "Lasso": "estimators",
    "ElasticNet": "estimators",
    "LassoCV": "estimators",
    "ElasticNetCV": "estimators",
    "LogisticRegression": "estimators",
    "LogisticRegressionCV": "estimators",
    "PoissonRegressor": "estimators",
    "HuberRegressor": "estimators",
    "GeneralizedLinearRegressor": "estimators",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "SGDClassifier": "estimators",
    "SGDRegressor": "estimators",
    "DescentPath": "estimators",
    "ProgressBar": "estimators",
    "RegularizationPath": "estimators",
    "load": "estimators",
    "regularization_path": "estimators",
    "plots": "estimators",
    "available_backends": "backends",
    "get_backend": "backends",
    "use_backend": "backends",
    "use_fused": "backends",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(f".{_HOME[name]}", __name__), name)
        globals()[name] = value
        return value
    message = f"module 'xpfit' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted(__all__)
