"""What the solvers of L1 penalties start from: an objective that is ready to be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .buckets import Rows, in_bucket
from .columns import off_centre
from .device_work import working_on
from .fit import check_labels, objective_of
from .linalg import max_abs
from .losses import Loss
from .nonfinite import raise_nonfinite
from .objective import LinearObjective


@contextmanager
def ready_objective(
    X: Any,
    y: Array,
    *,
    loss: Loss,
    backend: Backend,
    l2_reg_strength: float = 0.0,
    n_outputs: int = 1,
    sample_weight: Array | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tol: float = 1e-5,
    who: str = "ready_objective",
    feature_names: Sequence[str] | None = None,
    fused: bool | None = None,
) -> Iterator[tuple[LinearObjective, float]]:
    """The objective of these data, and a tolerance that their rounding allows; read it inside.

    Columns far off centre are centred, rows filled up to a bucket where the backend compiles, and
    the first evaluation that is not finite looks for NaN in X.
    """
    n_samples, n_features = X.shape
    with (
        working_on(backend, X, f"{who} on X of {X.dtype}, {n_samples:,} x {n_features:,}"),
        np.errstate(invalid="ignore", over="ignore", divide="ignore"),
    ):
        given_X, given_y = X, y
        if n_samples >= n_features:
            X, y, sample_weight = in_bucket(backend, Rows(X, y, sample_weight), fused)
        if loss.is_multiclass:
            check_labels(y, n_outputs, backend, who)
        objective = objective_of(
            X, y, sample_weight, loss, backend, n_outputs, l2_reg_strength, fit_intercept,
            standardize, fused,
        )  # fmt: skip
        if fit_intercept:
            centre = off_centre(X, backend=backend, fused=fused)
            if centre is not None:
                # As in `fit_linear_model`: about zero, Gram matrices would be all rounding.
                eps = float(backend.xp.finfo(objective.dtype).eps)
                tol = max(tol, 500.0 * eps * max_abs(backend.xp, centre))
                objective.centre = centre
                objective.shift = centre if objective.shift is None else objective.shift
        objective.on_overflow = partial(
            raise_nonfinite, given_X, backend, who, feature_names, loss, given_y
        )
        yield objective, tol


def relative_to(objective: LinearObjective, tol: float, largest: float) -> float:
    """`tol` in units of the largest gradient without coefficients, and no less than rounding of y.

    That gradient has the units of X times y, so that a model of X in millimetres stops where the
    same model in kilometres does.
    """
    xp, y, weight = objective.backend.xp, objective.y, objective.sample_weight
    squares = y * y if weight is None else weight * y * y
    mean_square = float(xp.sum(squares)) / float(objective.weight_sum)
    return relative_tol(tol, largest, mean_square, float(xp.finfo(objective.dtype).eps))


def relative_tol(tol: float, largest: float, mean_square: float, eps: float) -> float:
    """As `relative_to`, from the mean of y² and the rounding of what computes."""
    return max(tol * largest, 10.0 * eps * math.sqrt(mean_square))
