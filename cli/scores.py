"""Figures of merit, by scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LABELS = {
    "accuracy": "accuracy",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "f1": "F1",
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "brier": "Brier score",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "poisson_deviance": "mean Poisson deviance",
}


def classification_scores(
    y: NDArray[Any], probability: NDArray[np.float64], classes: NDArray[Any]
) -> dict[str, float]:
    """Score predicted probabilities.

    Parameters
    ----------
    y : ndarray, shape (n_rows,)
        True labels, all of them among ``classes``.
    probability : ndarray, shape (n_rows, n_classes)
    classes : ndarray, shape (n_classes,)
        Sorted; the second one is the positive one of two.

    Returns
    -------
    dict of str to float
        Ranking scores are left out when only one class occurs in ``y``: they are undefined.

    Examples
    --------
    >>> y, p = np.array([0, 1]), np.array([[0.8, 0.2], [0.4, 0.6]])
    >>> classification_scores(y, p, np.array([0, 1]))["accuracy"]
    1.0
    """
    from sklearn import metrics

    codes = np.searchsorted(classes, y)
    labels = np.arange(len(classes))
    # ties go to the lower class, as predict does
    predicted = probability.argmax(axis=1)
    scores = {"accuracy": metrics.accuracy_score(codes, predicted)}
    loss = metrics.log_loss(codes, probability, labels=labels)
    if len(classes) > 2:
        macro = metrics.f1_score(codes, predicted, labels=labels, average="macro", zero_division=0)
        if len(np.unique(codes)) == len(classes):
            # The mean over classes of each against the rest.
            scores["roc_auc"] = metrics.roc_auc_score(codes, probability, multi_class="ovr")
        return _floats({**scores, "macro_f1": macro, "log_loss": loss})
    positive = probability[:, 1]
    if len(np.unique(codes)) == 2:
        scores["roc_auc"] = metrics.roc_auc_score(codes, positive)
        scores["average_precision"] = metrics.average_precision_score(codes, positive)
    scores["f1"] = metrics.f1_score(codes, predicted, zero_division=0)
    scores["log_loss"] = loss
    scores["brier"] = metrics.brier_score_loss(codes, positive, pos_label=1)
    return _floats(scores)


def regression_scores(
    y: NDArray[np.float64], predicted: NDArray[np.float64], counts: bool = False
) -> dict[str, float]:
    """Score predicted numbers.

    Parameters
    ----------
    y, predicted : ndarray, shape (n_rows,)
    counts : bool
        Add the Poisson deviance.

    Returns
    -------
    dict of str to float
        R² is left out for fewer than two rows: it is undefined.

    Examples
    --------
    >>> regression_scores(np.array([1.0, 3.0]), np.array([1.0, 2.0]))["mae"]
    0.5
    """
    from sklearn import metrics

    scores = {"r2": metrics.r2_score(y, predicted)} if len(y) > 1 else {}
    scores["mae"] = metrics.mean_absolute_error(y, predicted)
    scores["rmse"] = metrics.root_mean_squared_error(y, predicted)
    if counts and (predicted > 0).all():
        scores["poisson_deviance"] = metrics.mean_poisson_deviance(y, predicted)
    return _floats(scores)


def _floats(scores: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in scores.items()}


def score_rows(metrics: dict[str, dict[str, float]]) -> list[list[str]]:
    """Lay metrics of several parts side by side, one row per metric.

    Examples
    --------
    >>> score_rows({"train": {"r2": 0.5}, "test": {"r2": 0.4}})
    [['R²', '0.5000', '0.4000']]
    """
    names = list(dict.fromkeys(name for part in metrics.values() for name in part))
    return [
        [LABELS[name], *(_shown(part.get(name)) for part in metrics.values())] for name in names
    ]


def _shown(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.1f}"
