"""Regularization paths of the estimators: one model at many strengths of its penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from ..core.fit import LinearFit
from ..core.losses import HALF_SQUARED_ERROR
from ..core.path import fit_path
from ..core.solvers import SolverResult
from ..core.solvers.result import SUCCESS, IterationRecord
from ._fit_data import FitData, fit_options, read_classification, read_regression
from ._inputs import feature_names, name_of
from ._least_squares import reject_positive
from ._logistic_options import choose_solver, l1_share, refuse_descents
from ._strengths import checked_values, strengths_of, warn_unconverged
from .elastic_net import ElasticNet
from .logistic import LogisticRegression, representative
from .ridge import Ridge

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class RegularizationPath:
    """An estimator's coefficients at each strength of its penalty, from strong to weak.

    Attributes
    ----------
    parameter : {"alpha", "C"}
        The estimator's parameter that sets the strength.
    values : ndarray of shape (n_strengths,)
        What that parameter was: alphas descending, or Cs ascending.
    coefs : ndarray of shape (n_strengths, n_features) or (n_strengths, n_outputs, n_features)
        The second for three classes or more.
    intercepts : ndarray of shape (n_strengths,) or (n_strengths, n_outputs)
    losses, duality_gaps, violations : ndarray of shape (n_strengths,)
        Mean cost with its penalty; how far it can be above the minimum (NaN where no gap is
        known); largest violation of the conditions of optimality.
    stop_reasons : tuple of str
    n_iters : ndarray of shape (n_strengths,)
    n_passes : int
        Reads of X for all of the path.
    backend : str
    feature_names : list of str or None
    classes : ndarray of shape (n_classes,) or None
    estimator : estimator
        Unfitted, as it was given.
    """

    parameter: str
    values: Vector
    coefs: Vector
    intercepts: Vector
    losses: Vector
    duality_gaps: Vector
    violations: Vector
    stop_reasons: tuple[str, ...]
    n_iters: Vector
    n_passes: int
    backend: str
    feature_names: list[str] | None
    classes: Vector | None
    estimator: Any

    def __repr__(self) -> str:
        values, shape = self.values, " x ".join(map(str, self.coefs.shape[1:]))
        return (
            f"RegularizationPath({self.estimator!r}: {len(self)} values of {self.parameter}, "
            f"{values[0]:.4g} to {values[-1]:.4g}; {shape} coefficients)"
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def n_nonzero(self) -> Vector:
        """Columns with a coefficient, (n_strengths,)."""
        used = self.coefs != 0.0
        return np.sum(used if used.ndim == 2 else used.any(axis=1), axis=1)

    def estimator_at(self, index: int) -> Any:
        """The estimator as a fit at that strength would have left it.

        Parameters
        ----------
        index : int
            Into `values`; negative ones count from the end.

        Returns
        -------
        A fitted clone; `loss_history_` holds the last cost alone.

        Raises
        ------
        IndexError
        """
        if not -len(self) <= index < len(self):
            message = (
                f"estimator_at({index}): this path has {len(self)} strengths. Pass an index from "
                f"{-len(self)} to {len(self) - 1}."
            )
            raise IndexError(message)
        index = range(len(self))[index]
        model = unfitted(self.estimator)
        model.set_params(**{self.parameter: float(self.values[index])})
        model.n_features_in_ = self.coefs.shape[-1]
        if self.feature_names is not None:
            model.feature_names_in_ = np.asarray(self.feature_names, dtype=object)
        coef, intercept = self.coefs[index].copy(), self.intercepts[index]
        result = self._result(index)
        if self.classes is not None:
            fit = LinearFit(np.atleast_2d(coef).T, np.atleast_1d(intercept), result)
            model._set_coefficients(fit, self.classes, centred=False)
        else:
            model.coef_, model.n_iter_ = coef, int(result.n_iter)
            model.intercept_ = np.float64(intercept) if model.fit_intercept else 0.0
            if isinstance(model, ElasticNet):
                model.dual_gap_ = self.duality_gaps[index]
        model._set_result(result, self.backend)
        return model

    def _result(self, index: int) -> SolverResult:
        loss, violation = float(self.losses[index]), float(self.violations[index])
        gap, reason = float(self.duality_gaps[index]), self.stop_reasons[index]
        coefficients = [self.coefs[index].T.reshape(-1), np.atleast_1d(self.intercepts[index])]
        return SolverResult(
            theta=np.concatenate(coefficients[: 1 + self.estimator.fit_intercept]), loss=loss,
            gradient_norm=violation, n_iter=int(self.n_iters[index]), n_passes=self.n_passes,
            seconds=0.0, converged=reason in SUCCESS, stop_reason=reason, message="",
            solver="path", history=[IterationRecord(0, loss, violation, self.n_passes, 0.0)],
            duality_gap=None if np.isnan(gap) else gap,
        )  # fmt: skip


def regularization_path(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    strengths: Sequence[float] | Vector | None = None,
    n_strengths: int = 100,
    eps: float = 1e-3,
    sample_weight: Any = None,
) -> RegularizationPath:
    """An estimator's coefficients at many strengths of its penalty.

    Each strength starts from the solution of the one before, so a path costs little more than its
    last fit. The estimator's own alpha or C has no effect; its other options do, `callbacks`
    (called once a strength) and `backend` included.

    Parameters
    ----------
    estimator : Lasso, ElasticNet, Ridge or LogisticRegression
        Neither fitted nor changed.
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,)
    strengths : array-like or None
        Values of alpha, or of C, in any order. None: `n_strengths` of them, evenly spaced in their
        logarithm, from the strongest, which leaves no coefficient, to `eps` of its strength.
        Without an L1 penalty there is no such strength, and they must be given.
    n_strengths : int
    eps : float
        Between 0 and 1.
    sample_weight : array-like of shape (n_samples,) or None

    Returns
    -------
    RegularizationPath

    Raises
    ------
    TypeError
        For another estimator.
    ValueError
        For strengths that are not positive and finite, or missing; and whatever the estimator's
        `fit` refuses.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from xpfit import Lasso, regularization_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = regularization_path(Lasso(), X, y, n_strengths=20)
    >>> path.n_nonzero[[0, 5, -1]].tolist(), path.values[0].round(3).item()
    ([0, 4, 10], 2.148)
    >>> round(path.estimator_at(10).score(X, y), 2)
    0.51
    """
    who = f"regularization_path({name_of(estimator)})"
    if not (0.0 < eps < 1.0 and isinstance(n_strengths, Integral) and n_strengths >= 1):
        message = (
            f"{who}: {n_strengths=}, {eps=}. Pass a whole number of at least 1, and an eps "
            "between 0 and 1, the share of the largest strength that the last one is."
        )
        raise ValueError(message)
    parameter = _parameter_of(estimator, who)
    values = None if strengths is None else checked_values(strengths, f"{who}: strengths")
    # `fit` would set what it learns of the columns; this estimator stays as it was.
    reader = unfitted(estimator)
    data, l1_ratio, scale = _read(reader, X, y, sample_weight)
    if values is not None and parameter == "alpha":
        values = values[::-1]
    fit = fit_path(
        data.X, data.y, l1_ratio=l1_ratio, n_strengths=n_strengths, eps=eps,
        strengths=None if values is None else strengths_of(parameter, values, scale),
        relative_tol=data.loss is HALF_SQUARED_ERROR,  # as the estimators fit
        **{**fit_options(reader, data), "who": who},
    )  # fmt: skip
    if values is None:
        inverse = scale if parameter == "C" else 1.0 / scale
        values = strengths_of(parameter, fit.strengths, inverse)
    W, b = representative(fit.W, fit.b, centred=l1_ratio == 0.0)
    single = data.n_outputs == 1
    path = RegularizationPath(
        parameter, values[: len(fit.strengths)],
        W[:, :, 0].copy() if single else np.ascontiguousarray(np.swapaxes(W, 1, 2)),
        b[:, 0].copy() if single else b,
        fit.losses, fit.duality_gaps, fit.violations, fit.stop_reasons, fit.n_iters, fit.n_passes,
        data.backend.name, feature_names(reader),
        None if data.labels is None else data.classes, unfitted(estimator),
    )  # fmt: skip
    warn_unconverged(who, parameter, [(path.values, fit.stop_reasons)])
    return path


def unfitted(estimator: Any) -> Any:
    """As `clone`, but with the same callbacks, not copies that nobody sees."""
    return type(estimator)(**estimator.get_params(deep=False))


def _parameter_of(estimator: Any, who: str) -> str:
    if isinstance(estimator, (ElasticNet, Ridge)):
        return "alpha"
    if not isinstance(estimator, LogisticRegression):
        message = (
            f"regularization_path was given {estimator!r}, which has no path here. Pass a Lasso, "
            "ElasticNet, Ridge or LogisticRegression of xpfit: an object, not a class."
        )
        raise TypeError(message)
    refuse_descents(estimator.solver, who)
    if estimator.penalty is None:
        message = (
            f"{who}: penalty=None leaves no penalty whose strength could vary. Leave penalty out."
        )
        raise ValueError(message)
    return "C"


def _read(reader: Any, X: Any, y: Any, sample_weight: Any) -> tuple[FitData, float, float]:
    """Data, share of the L1 penalty, and what a strength is measured in: see `strengths_of`."""
    reader._validate_params()
    if isinstance(reader, LogisticRegression):
        share = l1_share(reader)
        data = read_classification(reader, X, y, sample_weight)
        choose_solver(reader, data.classes.shape[0])
        return data, share, data.total
    reject_positive(reader)
    data = read_regression(reader, X, y, sample_weight, multi_output=False)
    if isinstance(reader, Ridge):
        # Its alpha is that of the summed squares, whose half is the loss.
        reader.max_iter = 1000 if reader.max_iter is None else reader.max_iter
        return data, 0.0, data.total
    return data, reader._share(), 1.0
