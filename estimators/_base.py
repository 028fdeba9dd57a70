"""What all estimators share: parameters, fitted attributes, prediction, saving."""

from __future__ import annotations

import functools
import inspect
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import (
    Interval,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted

from ..backends import Array, Backend
from ..core.device_work import working_on
from ..core.passes import predict_raw
from ..core.solvers.result import STOPPED_BY_CALLBACK, SolverResult
from ._backend_choice import backend_for_prediction
from ._constraints import OneOf
from ._inputs import (
    check_raw_prediction,
    compute_dtype,
    like_input,
    name_of,
    read_features,
    to_host,
)

# The parameters that are ours, for `_parameter_constraints`.
OUR_CONSTRAINTS: dict[str, list[Any]] = {
    "backend": [str, None],
    "callbacks": ["array-like", callable, tuple, None],
}
STANDARDIZE_CONSTRAINT: dict[str, list[Any]] = {"standardize": ["boolean"]}
ITERATION_CONSTRAINTS: dict[str, list[Any]] = {
    "max_iter": [Interval(Integral, 0, None, closed="left")],
    "tol": [Interval(Real, 0.0, None, closed="left")],
    "fit_intercept": ["boolean"],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
}


def solver_constraint(mapping: dict[str, str]) -> list[Any]:
    """The `_parameter_constraints` entry for solver names."""
    return [OneOf(set(mapping))]


def print_iteration(record: Any) -> None:
    """The callback of `verbose=1`: one line per iteration on standard output."""
    norm = record.gradient_norm
    # Mini-batches form no gradient of the whole cost.
    gradient = "" if math.isnan(norm) else f"gradient norm {norm:.3e}  "
    sys.stdout.write(
        f"iteration {record.iteration:4d}  cost {record.loss:.10g}  {gradient}"
        f"passes {record.n_passes}  {record.seconds:.3f} s\n"
    )


class Estimator(BaseEstimator):
    """Base of all estimators: their parameters, how a fit went, and files."""

    backend: str | None
    callbacks: Any
    _parameter_constraints: dict[str, list[Any]]

    def _validate_params(self) -> None:
        """scikit-learn's check of the parameters, for those that are not the defaults."""
        defaults = _defaults(cast("Any", type(self)))
        changed = {
            name: value
            for name, default in defaults.items()
            if (value := getattr(self, name)) is not default
        }
        if changed:
            validate_parameter_constraints(
                self._parameter_constraints, changed, caller_name=name_of(self)
            )

    def _callbacks(self) -> tuple[Callable[[Any], Any], ...]:
        given = self.callbacks
        listed: Sequence[Any] = () if given is None else [given] if callable(given) else given
        for callback in listed:
            if not callable(callback):
                message = (
                    f"{name_of(self)}: callbacks holds {callback!r}, which cannot be called. "
                    "Pass functions of one IterationRecord."
                )
                raise TypeError(message)
        return (*listed, print_iteration) if getattr(self, "verbose", 0) else tuple(listed)

    def _record(self, fit: Any, backend: Backend, *, warn: bool = True) -> None:
        """Set the attributes that tell how the fit went; warn where it did not converge."""
        # On the host: the model must load where the library that fitted it is missing.
        theta = np.asarray(backend.to_numpy(fit.result.theta))
        self._set_result(replace(fit.result, theta=theta), backend.name)
        result = fit.result
        if warn and not (result.converged or result.stop_reason == STOPPED_BY_CALLBACK):
            text = result.message
            text = text if name_of(self) in text else f"{name_of(self)}: {text}"
            warnings.warn(text, ConvergenceWarning, stacklevel=depth_to_user())

    def _set_result(self, result: SolverResult, backend_name: str) -> None:
        """Set the attributes that tell how the fit went."""
        self.backend_ = backend_name
        self.solver_ = result.solver
        self.n_passes_ = int(result.n_passes)
        self.loss_history_ = np.asarray([record.loss for record in result.history], dtype=float)
        self.gradient_norm_ = float(result.gradient_norm)
        self.stop_reason_ = result.stop_reason
        self.result_ = result

    def _raw_prediction(self, X: Any) -> tuple[Array, Backend]:
        """Raw predictions where X lives, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        return self._raw_of(read_features(self, X, reset=False))

    def _raw_of(self, X: Array) -> tuple[Array, Backend]:
        """`_raw_prediction` for an X that `read_features` has seen."""
        raise NotImplementedError

    def _check_loaded(self) -> None:
        """Raise a ValueError where the arrays of a file do not fit each other."""
        raise NotImplementedError

    def save(self, path: str | os.PathLike[str], metadata: dict[str, Any] | None = None) -> None:
        """Write the fitted model to one safetensors file, whole or not at all.

        Parameters
        ----------
        path : str or path
            An existing file is replaced once the new one is complete.
        metadata : dict or None
            Anything that JSON can hold; `xpfit.estimators.read_metadata` returns it.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before `fit`.
        xpfit.estimators.ModelFileError
            Where a parameter cannot be kept in a file: callbacks, a loss of the user's own.
        """
        from .model_file import save

        check_is_fitted(self)
        save(self, path, metadata)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LinearEstimator(Estimator):
    """Base of the linear models. A subclass reads its y, picks a loss and calls `core`."""

    def _start(self, X: Array, n_outputs: int) -> tuple[Any, Any]:
        """Where a warm start begins: (W, b) of the previous fit, or (None, None)."""
        if not (getattr(self, "warm_start", False) and hasattr(self, "coef_")):
            return None, None
        return self._coefficients_of_last_fit(X, n_outputs)

    def _coefficients_of_last_fit(self, X: Array, n_outputs: int) -> tuple[Any, Any]:
        W = np.atleast_2d(self.coef_).T.astype(np.float64)
        if W.shape != (X.shape[1], n_outputs):
            warm = getattr(self, "warm_start", False)
            who = f"{name_of(self)}(warm_start=True)" if warm else f"{name_of(self)}.partial_fit"
            message = (
                f"{who}: the previous fit had {W.shape[0]} features and {W.shape[1]} output(s), "
                f"but these data have {X.shape[1]} and {n_outputs}. "
                f"{'Set warm_start=False, or fit' if warm else 'Fit'} a clone()."
            )
            raise ValueError(message)
        return W, np.atleast_1d(self.intercept_).astype(np.float64)

    def _raw_of(self, X: Array) -> tuple[Array, Backend]:
        """X @ coef_.T + intercept_."""
        backend = backend_for_prediction(self.backend, X)
        dtype = compute_dtype(backend, X)
        W = np.ascontiguousarray(np.atleast_2d(self.coef_).T, dtype=dtype)
        b = np.broadcast_to(np.asarray(self.intercept_, dtype=dtype), (W.shape[1],)).copy()
        # Infinity times a coefficient of zero is NaN, which is looked for below.
        with (
            working_on(backend, X, f"prediction by {name_of(self)}"),
            np.errstate(invalid="ignore"),
        ):
            raw = predict_raw(X, backend.from_numpy(W), backend.from_numpy(b), backend=backend)
            check_raw_prediction(self, X, raw, backend)
        return raw, backend

    def _check_loaded(self) -> None:
        if np.shape(self.coef_)[-1] != self.n_features_in_:
            message = f"coef_ has shape {self.coef_.shape}, not {self.n_features_in_}"
            raise ValueError(message)


class LinearRegressorMixin(RegressorMixin):
    """Prediction and score of the regressors with the identity as link."""

    def predict(self, X: Any) -> Any:
        """The predicted targets, X @ coef_.T + intercept_.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_targets)
            An array of X's own library for arrays on a device.
        """
        raw, _ = self._raw_prediction(X)
        single = np.ndim(self.coef_) == 1
        return like_input(raw[:, 0] if single else raw, X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The coefficient of determination R² of the prediction, as scikit-learn defines it.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,) or None
        """
        return float(
            r2_score(to_host(y), to_host(self.predict(X)), sample_weight=to_host(sample_weight))
        )


def changed_parameters(estimator: Any, names: Sequence[str]) -> dict[str, Any]:
    """Those of these parameters that are not what a new estimator of the class has."""
    defaults = _defaults(cast("Any", type(estimator)))
    given = {name: getattr(estimator, name) for name in names}
    return {
        name: value
        for name, value in given.items()
        if value is not defaults[name] and not same_value(value, defaults[name])
    }


def same_value(value: Any, other: Any) -> bool:
    """Whether two parameters are equal; sequences by their entries."""
    if isinstance(value, list | np.ndarray):
        return isinstance(other, tuple | list) and list(value) == list(other)
    return bool(value == other)


@functools.cache
def _defaults(cls: Any) -> dict[str, Any]:
    # A signature takes longer to read than a small fit has time for.
    parameters = inspect.signature(cls).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def depth_to_user() -> int:
    """`stacklevel` that points a warning at the line that called `fit`."""
    depth, frame = 1, sys._getframe(1)
    inside = os.path.dirname(__file__)  # noqa: PTH120 - a string comparison, no path is opened
    while frame.f_back is not None and (
        frame.f_code.co_filename.startswith(inside)
        or frame.f_code.co_filename.endswith(os.path.join("sklearn", "base.py"))  # noqa: PTH118
    ):
        frame, depth = frame.f_back, depth + 1
    return depth
