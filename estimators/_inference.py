"""What the Hessian says about the coefficients of a logistic regression, and when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, ndtr, ndtri
from sklearn.utils.validation import check_is_fitted

from ..backends import as_backend_array, get_backend
from ..core.passes import is_sparse
from ._class_weights import row_weights
from ._cost import Floats, coefficients_of, column_names
from ._inputs import name_of, read_features, to_host
from ._labels import Labels, codes_among
from ._targets import read_sample_weight, require_y
from .summary import CoefficientSummary

# Bytes of X that are on the host as float64 at a time.
BLOCK_BYTES = 1 << 25
# Of the largest eigenvalue of the columns' correlations: below it they are collinear.
COLLINEAR = 1e-10
# A Newton step that would still move some row's log-odds by this much: not at a maximum.
MOVES = 0.1
# Rows fitted closer than this move on because nothing holds them: the classes are separated.
CLOSE = 0.1


class _Data(NamedTuple):
    X: Any
    y: Floats
    weight: Floats
    shift: Floats
    scale: Floats
    fit_intercept: bool

    def blocks(self) -> Iterator[tuple[Floats, slice]]:
        """Rows as float64 on the host, standardized, and the column of the intercept."""
        n, d = self.X.shape
        some = max(1, BLOCK_BYTES // (8 * (d + 1)))
        for first in range(0, n, some):
            rows = slice(first, first + some)
            block = (_host_rows(self.X, rows) - self.shift) / self.scale
            if self.fit_intercept:
                block = np.concatenate([block, np.ones((block.shape[0], 1))], axis=1)
            yield block, rows


def _host_rows(X: Any, rows: slice) -> Floats:
    part = X[rows].toarray() if is_sparse(X) else to_host(X[rows])
    return np.asarray(part, dtype=np.float64)


def summarize(
    model: Any, X: Any, y: Any, sample_weight: Any = None, level: float = 0.95
) -> CoefficientSummary:
    """What `LogisticRegression.summary` returns; see there."""
    check_is_fitted(model)
    who = f"{name_of(model)}.summary"
    if model.classes_.shape[0] != 2:
        message = (
            f"{who}: the model has {model.classes_.shape[0]} classes, and softmax coefficients are "
            "known only up to what all classes share. Fit sklearn.multiclass.OneVsRestClassifier("
            "LogisticRegression()) and summarize each of its estimators_ with y == class."
        )
        raise ValueError(message)
    if model.l1_ratio or model.penalty in {"l1", "elasticnet"}:
        message = (
            f"{who}: the model has an L1 penalty, under which coefficients that are zero have no "
            "curvature and the others are biased: there are no standard errors. Fit the columns "
            "that are not zero with C=np.inf (on other rows), and summarize that."
        )
        raise ValueError(message)
    if not 0.0 < level < 1.0:
        message = f"{who}: level must lie between 0 and 1, got {level!r}."
        raise ValueError(message)
    data = _read(model, X, y, sample_weight)
    strength = 0.0 if model.penalty is None or np.isinf(model.C) else 1.0 / float(model.C)
    if strength == 0.0:
        _check_columns(data, column_names(model), who)
    covariance = _covariance(model, data, strength, who)
    d = data.X.shape[1]
    # theta = (W * scale, b + shift W): back to the columns as they are.
    back = np.diag(np.append(1.0 / data.scale, [1.0] * data.fit_intercept))
    if data.fit_intercept:
        back[d, :d] = -data.shift / data.scale
    covariance = back @ covariance @ back.T
    return _table(model, data, covariance, level, strength)


def _read(model: Any, X: Any, y: Any, sample_weight: Any) -> _Data:
    host = get_backend("numpy")
    X = read_features(model, X, reset=False)
    codes = codes_among(model, to_host(require_y(model, y)), model.classes_, X.shape[0])
    rows = np.empty((X.shape[0], 1))  # weights are read beside float64
    weight = read_sample_weight(model, to_host(as_backend_array(sample_weight)), rows, host)
    weight = row_weights(model, Labels(model.classes_, codes), weight, rows, host)
    d = X.shape[1]
    weight = np.ones(X.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    origin = _host_rows(X, slice(0, 1))[0]
    data = _Data(X, codes.astype(np.float64), weight, origin, np.ones(d), False)
    sums, squares = np.zeros(d), np.zeros(d)
    for block, part in data.blocks():
        sums += weight[part] @ block
        squares += weight[part] @ (block * block)
    offset = sums / weight.sum()
    variance = squares / weight.sum() - offset**2
    varies = variance > 1e-14 * (squares / weight.sum() + (origin + offset) ** 2)
    scale = np.where(varies, np.sqrt(np.maximum(variance, 1e-300)), 1.0)
    has_intercept = bool(model.fit_intercept)
    shift = origin + offset if has_intercept else np.zeros(d)
    return data._replace(shift=shift, scale=scale, fit_intercept=has_intercept)


def _check_columns(data: _Data, names: list[str], who: str) -> None:
    """Collinear columns have no coefficients of their own."""
    gram = sum(block.T @ (data.weight[part][:, None] * block) for block, part in data.blocks())
    size = np.sqrt(np.diag(gram))
    names = [*names, "the intercept"]
    size = np.where(size > 1e-12 * size.max(), size, np.inf)
    values, vectors = np.linalg.eigh(gram / np.outer(size, size))
    if values[0] > COLLINEAR * values[-1]:
        return
    involved = np.abs(vectors[:, 0]) > 0.05 * np.abs(vectors[:, 0]).max()
    shown = [names[k] for k in np.flatnonzero(involved)]
    listed = ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
    what = f"{listed} is constant" if len(shown) == 1 else f"{listed} are collinear"
    message = (
        f"{who}: {what}: infinitely many coefficients fit equally well, so there are no standard "
        "errors without a penalty. Leave a column out, or fit with a finite C."
    )
    raise ValueError(message)


def _covariance(model: Any, data: _Data, strength: float, who: str) -> Floats:
    """Inverse of the Hessian of the summed loss (and penalty), for standardized columns."""
    coef, intercept = coefficients_of(model)
    d = coef.shape[0]
    theta = coef * data.scale
    if data.fit_intercept:
        theta = np.append(theta, intercept + data.shift @ coef)
    share = np.ones(d) if model.standardize else data.scale**-2
    penalty = strength * np.append(share, [0.0] * data.fit_intercept)
    hessian, gradient = np.diag(penalty), penalty * theta
    for block, part in data.blocks():
        probability = expit(block @ theta)
        weight = data.weight[part]
        hessian += block.T @ ((weight * probability * (1.0 - probability))[:, None] * block)
        gradient += block.T @ (weight * (probability - data.y[part]))
    # Scaled by its diagonal: rare columns make it ill-conditioned only to the eye.
    size = np.sqrt(np.diag(hessian))
    try:
        half = np.linalg.inv(np.linalg.cholesky(hessian / np.outer(size, size)))
    except np.linalg.LinAlgError:
        raise _separated(who, "the columns") from None
    covariance = half.T @ half / np.outer(size, size)
    if not np.all(np.isfinite(covariance)):
        raise _separated(who, "the columns")
    _check_maximum(model, data, theta, covariance @ -gradient, strength, who)
    return np.asarray(covariance)


def _check_maximum(
    model: Any, data: _Data, theta: Floats, step: Floats, strength: float, who: str
) -> None:
    """The next Newton step must not matter: else this is no solution, or there is none."""
    moves, wrong, least = 0.0, 0.0, np.inf
    for block, part in data.blocks():
        move, sign = block @ step, 2.0 * data.y[part] - 1.0
        counts = data.weight[part] > 0.0
        least = min(least, float(np.min((sign * (block @ theta))[counts], initial=np.inf)))
        moving = (np.abs(move) > MOVES) & counts
        if moving.any():
            moves = max(moves, float(np.abs(move[moving]).max()))
            residual = expit(-sign * (block @ theta))[moving]
            away = np.where((sign * move)[moving] > 0.0, residual, 1.0)
            wrong = max(wrong, float(away.max()))
    if moves == 0.0 and (least <= 0.0 or strength > 0.0):
        return
    if strength == 0.0 and (wrong < CLOSE or least > 0.0):
        names = [*column_names(model), "the intercept"]
        order = np.argsort(-np.abs(step[: data.X.shape[1]]))[:3]
        large = [names[j] for j in order if abs(step[j]) > 0.2 * np.abs(step[order]).max()]
        raise _separated(who, ", ".join(large))
    message = (
        f"{who}: these coefficients are not a solution for these data: the next Newton step would "
        f"move the log-odds of a row by {moves:.2g}. Pass the X, y and sample_weight of the fit, "
        "and fit to the end (a larger max_iter, a smaller tol)."
        + (" If that has no end, the classes are separated: fit with a finite C." * (strength == 0))
    )
    raise ValueError(message)


def _separated(who: str, columns: str) -> ValueError:
    return ValueError(
        f"{who}: the classes are separated, wholly or in part, by {columns}: without a penalty the "
        "likelihood has no maximum, coefficients grow without end and every interval would be "
        "infinite. Fit with a finite C, or leave the column out."
    )


def _table(
    model: Any, data: _Data, covariance: Floats, level: float, strength: float
) -> CoefficientSummary:
    coef, intercept = coefficients_of(model)
    names, estimate, standardized = column_names(model), coef, coef * data.scale
    if data.fit_intercept:
        names, estimate = [*names, "intercept"], np.append(coef, intercept)
        standardized = np.append(standardized, np.nan)
    error = np.sqrt(np.diag(covariance))
    z = estimate / error
    half = float(-ndtri(0.5 * (1.0 - level))) * error
    notes = ["Standard errors: inverse Hessian of the summed loss at the solution."]
    if strength > 0.0:
        notes = [
            f"Standard errors: inverse Hessian of the summed loss and the penalty (C={model.C:g}).",
            "The penalty draws estimates to 0 and narrows the intervals; C=np.inf does without.",
        ]
    if np.ptp(data.weight) > 0.0 or data.weight[0] != 1.0:
        notes.append("Weights, those of classes included, count as repetitions of a row.")
    with np.errstate(over="ignore"):
        odds, odds_low, odds_high = (
            np.exp(estimate),
            np.exp(estimate - half),
            np.exp(estimate + half),
        )
    return CoefficientSummary(
        names, estimate, error, z, 2.0 * ndtr(-np.abs(z)), estimate - half, estimate + half, odds,
        odds_low, odds_high, standardized, covariance, float(level), model.classes_.tolist()[1],
        int(data.X.shape[0]), notes,
    )  # fmt: skip
