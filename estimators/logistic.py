"""Logistic regression, binary and multinomial.

It is longer than other files: scikit-learn's protocol wants every parameter spelt out three times.
"""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Hidden, Interval

from ..core.fit import fit_linear_model
from ..core.fit_sparse import fit_sparse_model
from ..core.solvers.result import DIVERGED, INTERRUPTED
from ._base import (
    ITERATION_CONSTRAINTS,
    OUR_CONSTRAINTS,
    STANDARDIZE_CONSTRAINT,
    LinearEstimator,
    solver_constraint,
)
from ._constraints import OneOf
from ._fit_data import FitData, fit_options, read_classification
from ._inference import summarize
from ._inputs import name_of
from ._logistic_descent import DEFAULT_TOL, descent_options, fit_logistic_by_descent, numbers_of
from ._logistic_options import LOGISTIC_SOLVERS, choose_solver, penalty_strengths
from ._logistic_prediction import LogisticPredictionMixin
from ._sgd_options import raise_what_ended
from .summary import CoefficientSummary


class LogisticRegression(LogisticPredictionMixin, LinearEstimator):
    """Logistic regression with an L2, L1, elastic-net or no penalty; softmax for more classes.

    minimize over coef, intercept: C * sum_i w_i loss(y_i, x_i)
    + l1_ratio * sum(abs(coef)) + 0.5 * (1 - l1_ratio) * ||coef||²

    with loss = log(1 + exp(raw)) - y raw for two classes, log(sum_k exp(raw_k)) - raw_y for more,
    raw = x coef.T + intercept. For softmax without a penalty, coef and intercept are the
    representatives whose sum over classes is zero.

    Parameters
    ----------
    penalty : {"l1", "l2", "elasticnet", None}, default="deprecated"
        Deprecated by scikit-learn: use C=np.inf for None, l1_ratio=1 for "l1".
    C : float, default=1.0
        Inverse of the penalty's strength; np.inf is no penalty.
    l1_ratio : float, default=0.0
        Share of the L1 penalty. Beyond 0, coefficients that do not help are exact zeros; the
        solver is then "auto", "saga" or "liblinear", and all are proximal Newton (FISTA for
        softmax of more than 128 coefficients, which may need a larger max_iter).
    dual : bool, default=False
        Accepted with solver="liblinear", without effect: the optimum is the same.
    tol : float, default=1e-5
        Stop at max(abs(gradient)) <= tol of the mean cost (scikit-learn: 1e-4); with an L1
        penalty, at no condition of optimality violated by more. Mini-batches that have taken all
        max_iter epochs have converged, too, where the cost is by estimate within 0.1 % of its
        minimum; below the default of tol its gradient alone decides.
    fit_intercept : bool, default=True
    intercept_scaling : float, default=1
        Only 1: the intercept is never penalised.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; they multiply sample_weight.
    random_state : int, RandomState or None, default=None
        Shuffles the batches of "sgd" ... "adamw"; the other solvers draw no random numbers.
    solver : {"auto", "lbfgs", "newton", "newton-cholesky", "newton-cg", "liblinear", "sag", \
            "saga", "gd", "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw"}, \
            default="auto"
        See docs/estimators.md for what each becomes. Those up to "saga" reach the same optimum
        soon; "gd" (all rows in each step) reaches it in many iterations, the others come near it
        by epochs of mini-batches.
    max_iter : int, default=100
        For "sgd" ... "adamw" epochs.
    verbose : int, default=0
        1 prints a line per iteration.
    warm_start : bool, default=False
        Begin at the previous fit's coefficients.
    n_jobs : int, default=None
        Deprecated by scikit-learn, without effect.
    backend : {"numpy", "numba", "jax", "cupy", "auto"} or None, default=None
        None leaves it to the arrays, `use_backend`, XPFIT_BACKEND, then "auto".
    standardize : bool, default=False
        Solve for centred columns of unit variance, as algebra: the penalty acts on their
        coefficients, coef_ is for X as given. Not with mini-batches.
    solver_options : dict or None, default=None
        For "gd" ... "adamw": "learning_rate", "schedule", "batch_size", "max_norm" and what the
        optimizer knows ("momentum", "beta1", "epsilon", ...); see docs/estimators.md.
    callbacks : callable, list of callables or None, default=None
        Each is called with an IterationRecord; one that returns True ends the fit.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
    n_features_in_, feature_names_in_
        As in scikit-learn.
    n_iter_ : ndarray of shape (1,)
    backend_, solver_, stop_reason_ : str
    n_passes_ : int
        Reads of X.
    loss_history_ : ndarray
        Cost at the start and after each iteration: weighted mean loss plus
        ||coef||² / (2 C sum_i w_i). By mini-batches, after each epoch.
    gradient_norm_ : float
    result_ : SolverResult
        With an L1 penalty and two classes, `result_.duality_gap` certifies the optimum.

    Raises
    ------
    ValueError
        For one class, fractions as y, bad shapes, NaN or infinity (columns are named), bad weights.
    MixedBackendError
        For X, y and weights on different devices.
    DivergenceError
        Where a learning rate of "gd" ... "adamw" is too large; the best coefficients are set.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from xpfit import LogisticRegression
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> model.predict(X[:2]).tolist(), model.backend_, round(model.score(X, y), 2)
    ([0, 0], 'numpy', 0.97)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's protocol
        "penalty": [
            OneOf({"l1", "l2", "elasticnet"}),
            None,
            Hidden(OneOf({"deprecated"})),
        ],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, OneOf({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": solver_constraint(LOGISTIC_SOLVERS),
        "n_jobs": [None, Integral],
        "solver_options": [dict, None],
        **ITERATION_CONSTRAINTS,
        **STANDARDIZE_CONSTRAINT,
        **OUR_CONSTRAINTS,
    }

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = DEFAULT_TOL,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: Any = None,
        random_state: Any = None,
        solver: str = "auto",
        max_iter: int = 100,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        backend: str | None = None,
        standardize: bool = False,
        solver_options: dict[str, Any] | None = None,
        callbacks: Any = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.backend = backend
        self.standardize = standardize
        self.solver_options = solver_options
        self.callbacks = callbacks

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LogisticRegression:
        """Fit to X of shape (n_samples, n_features) and the class labels y.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,) or None
        """
        strengths, descent = penalty_strengths(self), descent_options(self)
        numbers = partial(numbers_of, descent, max_iter=self.max_iter)
        data = read_classification(self, X, y, sample_weight, numbers=numbers)
        return self._fit_on(data, strengths)

    def summary(
        self, X: Any, y: Any, sample_weight: Any = None, level: float = 0.95
    ) -> CoefficientSummary:
        """Standard errors, confidence intervals and odds ratios of the coefficients (two classes).

        Errors are roots of the diagonal of the inverse Hessian of the summed loss at the solution;
        with a finite C, of loss and penalty together. The data are asked for again, because a model
        keeps none and most fits want no Hessian; X is read in blocks, in float64, on the host.

        Parameters
        ----------
        X, y, sample_weight
            Those of the fit. Weights count as repetitions of a row.
        level : float
            Of the intervals.

        Returns
        -------
        CoefficientSummary
            Prints as a table; its columns are arrays, `to_frame()` a DataFrame.

        Raises
        ------
        sklearn.exceptions.NotFittedError
        ValueError
            For three classes or more; coefficients that are no solution for these data; without
            a penalty, collinear columns and separated classes, which have no finite errors.

        Examples
        --------
        >>> import numpy as np
        >>> from xpfit import LogisticRegression
        >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]])
        >>> y = np.array([0, 0, 1, 0, 1, 1])
        >>> table = LogisticRegression(C=np.inf).fit(X, y).summary(X, y)
        >>> table.names, table.p_value.round(2).tolist()
        (['x0', 'intercept'], [0.18, 0.23])
        """
        return summarize(self, X, y, sample_weight, level)

    def _fit_on(self, data: FitData, strengths: tuple[float, float]) -> LogisticRegression:
        solver, descent = choose_solver(self, data.classes.shape[0]), descent_options(self)
        W_start, b_start = self._start(data.X, data.n_outputs)
        l1, l2 = (strength / data.total for strength in strengths)
        options: dict[str, Any] = {
            **fit_options(self, data), "l2_reg_strength": l2,
            "W_start": W_start, "b_start": b_start,
        }  # fmt: skip
        fit: Any
        if descent is not None:
            fit = fit_logistic_by_descent(
                descent, data.X, data.y, random_state=self.random_state, **options
            )
        elif l1 > 0.0:
            fit = fit_sparse_model(data.X, data.y, l1_reg_strength=l1, solver=solver, **options)
        else:
            fit = fit_linear_model(data.X, data.y, solver=solver, **options)
        self._set_coefficients(fit, data.classes, centred=l1 == 0.0)
        warn = fit.result.stop_reason not in {DIVERGED, INTERRUPTED}
        self._record(fit, data.backend, warn=warn)
        raise_what_ended(name_of(self), fit.result)
        return self

    def _set_coefficients(self, fit: Any, classes: np.ndarray[Any, Any], *, centred: bool) -> None:
        W, b = representative(fit.W, fit.b, centred=centred)
        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(W.T)
        self.intercept_ = b.copy() if self.fit_intercept else np.zeros(W.shape[1])
        self.n_iter_ = np.asarray([fit.result.n_iter], dtype=np.int32)


def representative(
    W: np.ndarray[Any, Any], b: np.ndarray[Any, Any], *, centred: bool
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """W and b with sum zero over the classes; W only where `centred`.

    Softmax does not see what all classes share; an L2 penalty only ever shrinks without it. An L1
    penalty does not, and its zeros are to stay.
    """
    if W.shape[-1] == 1:
        return W, b
    W = W - W.mean(axis=-1, keepdims=True) if centred else W
    return W, b - b.mean(axis=-1, keepdims=True)
