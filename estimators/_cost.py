"""The cost that a fitted model minimized, evaluated on the host: for pictures and for inference."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..backends import as_backend_array, get_backend
from ..core.columns import column_moments, standard_scale
from ..core.loss import PointwiseLoss
from ..core.losses import HALF_BINOMIAL, HALF_SQUARED_ERROR
from ..core.passes import is_sparse
from ._class_weights import row_weights
from ._inputs import name_of, read_features, to_host
from ._labels import Labels, codes_among
from ._targets import read_sample_weight, read_targets, require_y

Floats = np.ndarray[Any, np.dtype[np.float64]]
# Numbers of the table (rows x points) that are in memory at a time.
TABLE_NUMBERS = 4_000_000


class FittedCost(NamedTuple):
    """sum_i w_i loss(y_i, x_i coef + b) / sum_i w_i + 0.5 * l2 * ||scale * coef||²."""

    X: Any  # on the host, float64 or CSR
    y: Floats  # shape=(n_samples,)
    weight: Floats  # shape=(n_samples,)
    loss: PointwiseLoss
    l2_reg_strength: float
    scale: Floats  # shape=(n_features,): 1 unless standardize=True
    fit_intercept: bool

    def at(self, coef: Floats, intercept: Floats) -> Floats:
        """The cost at each point.

        Parameters
        ----------
        coef : ndarray of shape (n_points, n_features)
        intercept : ndarray of shape (n_points,)

        Returns
        -------
        ndarray of shape (n_points,)
        """
        costs = np.empty(coef.shape[0])
        some = max(1, TABLE_NUMBERS // max(1, self.y.shape[0]))
        for first in range(0, coef.shape[0], some):
            part = slice(first, first + some)
            raw = self.X @ coef[part].T + intercept[part]
            with np.errstate(over="ignore"):
                losses = self.loss.value(np, self.y[:, None], raw, *self.loss.parameters)
            costs[part] = self.weight @ losses / self.weight.sum()
        penalized = np.sum((coef * self.scale) ** 2, axis=1)
        return np.asarray(costs + 0.5 * self.l2_reg_strength * penalized)


def cost_of(model: Any, X: Any, y: Any, sample_weight: Any = None, *, who: str) -> FittedCost:
    """The cost of a fitted linear model of one output on these data.

    Raises
    ------
    sklearn.exceptions.NotFittedError
    TypeError
        For a model whose cost is not of this form.
    ValueError
        For three classes or more, several targets, data that do not fit the model.
    """
    check_is_fitted(model)
    if not (hasattr(model, "_basic_loss") or hasattr(model, "_pointwise_loss")):
        known = ("LogisticRegression", "LinearRegression", "Ridge")
        if name_of(model) not in known:
            message = (
                f"{who}: the cost of a {name_of(model)} cannot be written down here. Pass a fitted "
                f"{', '.join(known)}, SGDClassifier, SGDRegressor or a generalized linear model."
            )
            raise TypeError(message)
    if np.atleast_2d(model.coef_).shape[0] != 1:
        message = (
            f"{who}: {name_of(model)} has {np.atleast_2d(model.coef_).shape[0]} outputs, and this "
            "is for one. Fit two classes (or one target) at a time."
        )
        raise ValueError(message)
    host = get_backend("numpy")
    y = to_host(require_y(model, y))
    X = as_backend_array(X)
    X = read_features(model, X if is_sparse(X) else to_host(X), reset=False)
    X = X.astype(np.float64) if is_sparse(X) else np.asarray(X, dtype=np.float64)
    weight = read_sample_weight(model, to_host(as_backend_array(sample_weight)), X, host)
    loss = _loss_of(model)
    if hasattr(model, "classes_"):
        labels = Labels(model.classes_, codes_among(model, y, model.classes_, X.shape[0]))
        weight = row_weights(model, labels, weight, X, host)
        targets = labels.codes.astype(np.float64)
    else:
        targets = read_targets(model, y, X, host, domain=loss.domain)
    weights = np.ones(X.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    scale = np.ones(X.shape[1])
    if getattr(model, "standardize", False):
        scale = standard_scale(np, column_moments(X, weight, backend=host)[1])
    l2 = _l2_of(model, float(weights.sum()))
    return FittedCost(
        X, np.asarray(targets, dtype=np.float64), weights, loss, l2, np.asarray(scale),
        bool(model.fit_intercept),
    )  # fmt: skip


def _loss_of(model: Any) -> PointwiseLoss:
    if name_of(model) == "LogisticRegression":
        return HALF_BINOMIAL
    for method in ("_basic_loss", "_pointwise_loss"):
        if hasattr(model, method):
            loss: PointwiseLoss = getattr(model, method)()
            return loss
    return HALF_SQUARED_ERROR


def _l2_of(model: Any, total: float) -> float:
    """The penalty's strength beside a mean of losses."""
    params: dict[str, Any] = model.get_params(deep=False)
    if "C" in params:
        is_free = params["penalty"] is None or np.isinf(params["C"])
        return 0.0 if is_free else 1.0 / (float(params["C"]) * total)
    if "alpha" not in params or params.get("penalty", "l2") is None:
        return 0.0
    alpha = float(np.asarray(params["alpha"]).reshape(-1)[0])
    return alpha / total if name_of(model) == "Ridge" else alpha


def coefficients_of(model: Any) -> tuple[Floats, float]:
    """The coefficients (n_features,) and the intercept of a model of one output."""
    coef = np.asarray(model.coef_, dtype=np.float64).reshape(-1)
    return coef, float(np.asarray(model.intercept_, dtype=np.float64).reshape(-1)[0])


def column_index(model: Any, column: int | str, who: str) -> int:
    """The number of a column given by number or name.

    Raises
    ------
    ValueError
        For a column that the model does not have.
    """
    names = [str(name) for name in getattr(model, "feature_names_in_", ())]
    d = int(model.n_features_in_)
    if isinstance(column, str) and column in names:
        return names.index(column)
    if isinstance(column, (int, np.integer)) and -d <= column < d:
        return int(column) % d
    known = ", ".join(names[:10]) if names else f"0 ... {d - 1}"
    message = f"{who}: {name_of(model)} has no column {column!r}. It has {known}."
    raise ValueError(message)


def column_names(model: Any) -> list[str]:
    """Names of the columns; "x0", "x1" where X in `fit` had none."""
    names = getattr(model, "feature_names_in_", None)
    return [f"x{j}" for j in range(model.n_features_in_)] if names is None else [*map(str, names)]


__all__ = ["FittedCost", "coefficients_of", "column_index", "column_names", "cost_of"]
