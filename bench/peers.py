"""The peers: the same fit or pass by other libraries, each as one function; and one common judge.

A peer that is not installed is left out, and the row says so.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

Matrix = np.ndarray[Any, Any]
# Enough that a tolerance, not this, ends a fit.
MANY_ITERATIONS = 100_000
JUDGE_BLOCK = 1 << 14


class Model(NamedTuple):
    """What a fit returns here: coefficients for X as the judge sees it."""

    W: Matrix  # (n_features, n_outputs)
    b: Matrix  # (n_outputs,)
    fitted: Any  # the estimator


def has(library: str) -> bool:
    """Whether a library is installed."""
    return importlib.util.find_spec(library) is not None


def missing_note(libraries: tuple[str, ...]) -> list[str]:
    """A sentence about the peers that are not installed."""
    absent = [name for name in libraries if not has(name)]
    return [f"Not installed here, so not compared: {', '.join(absent)}."] if absent else []


@contextmanager
def quiet() -> Any:
    """No warnings: a fit that ends before its tolerance is judged by its objective."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def objective_value(
    X: Any, y: Matrix, model: Model, l2_reg_strength: float, scale: float = 1.0
) -> float:
    """Mean loss + 0.5 * l2_reg_strength * ||W||^2, by NumPy in float64: the judge of all fits.

    Parameters
    ----------
    X : ndarray or CSR matrix
        Divided by `scale`, a block of rows at a time.
    y : ndarray of shape (n_samples,)
        Labels 0 ... n_classes - 1.
    model : Model
        One output stands for two classes.
    """
    total = 0.0
    for start in range(0, X.shape[0], JUDGE_BLOCK):
        rows = slice(start, start + JUDGE_BLOCK)
        raw = (X[rows].astype(np.float64) / scale) @ model.W + model.b
        labels = y[rows]
        if raw.shape[1] == 1:
            losses = np.logaddexp(0.0, raw[:, 0]) - labels * raw[:, 0]
        else:
            largest = raw.max(axis=1, keepdims=True)
            losses = np.log(np.exp(raw - largest).sum(axis=1)) + largest[:, 0]
            losses -= raw[np.arange(raw.shape[0]), labels]
        total += float(losses.sum())
    return total / X.shape[0] + 0.5 * l2_reg_strength * float((model.W * model.W).sum())


def _model(estimator: Any) -> Model:
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    return Model(coefficients.T, np.atleast_1d(estimator.intercept_).astype(float), estimator)


def fit_ours(X: Any, y: Matrix, l2_reg_strength: float, tol: float) -> Model:
    """xpfit.LogisticRegression on Numba."""
    from ..estimators import LogisticRegression

    C = 1.0 / (l2_reg_strength * X.shape[0])
    model = LogisticRegression(C=C, tol=tol, max_iter=1000, backend="numba")
    with quiet():
        return _model(model.fit(X, y))


def fit_ours_on(backend: str, X: Any, y: Matrix, tol: float) -> Any:
    """xpfit.LogisticRegression on a backend, with the default penalty."""
    from ..estimators import LogisticRegression

    with quiet():
        return LogisticRegression(tol=tol, backend=backend).fit(X, y)


def fit_sklearn(solver: str) -> Callable[[Any, Matrix, float, float], Model]:
    """scikit-learn's LogisticRegression with the given solver."""

    def fit(X: Any, y: Matrix, l2_reg_strength: float, tol: float) -> Model:
        from sklearn.linear_model import LogisticRegression

        C = 1.0 / (l2_reg_strength * X.shape[0])
        model = LogisticRegression(C=C, tol=tol, solver=solver, max_iter=MANY_ITERATIONS)
        with quiet():
            return _model(model.fit(X, y))

    return fit


def fit_glum(X: Any, y: Matrix, l2_reg_strength: float, tol: float) -> Model:
    """glum's GeneralizedLinearRegressor, binomial; its penalty is ours."""
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family="binomial", alpha=l2_reg_strength, l1_ratio=0.0, gradient_tol=tol,
        max_iter=MANY_ITERATIONS,
    )  # fmt: skip
    with quiet():
        return _model(model.fit(X, y.astype(np.float64)))


def fit_ours_by_default(X: Any, y: Matrix) -> Model:
    """xpfit.LogisticRegression(), nothing set."""
    from ..estimators import LogisticRegression

    with quiet():
        return _model(LogisticRegression().fit(X, y))


def fit_sklearn_by_default(X: Any, y: Matrix) -> Model:
    """sklearn.linear_model.LogisticRegression(), nothing set."""
    from sklearn.linear_model import LogisticRegression

    with quiet():
        return _model(LogisticRegression().fit(X, y))


@contextmanager
def jax_in_64_bits() -> Any:
    """JAX keeps float64 inside; the name of the switch differs between its versions."""
    import jax

    switch = getattr(jax, "enable_x64", None)
    if switch is None:
        from jax.experimental import enable_x64 as switch
    with switch(True):
        yield


def torch_pass(X: Matrix, y: Matrix, w: Matrix, b: float, threads: int) -> Callable[[], Any]:
    """Loss and gradient sums by PyTorch's autograd, on the same memory."""
    import torch

    torch.set_num_threads(threads)
    rows, labels = torch.from_numpy(X), torch.from_numpy(y)
    weights = torch.from_numpy(w.copy()).requires_grad_()
    intercept = torch.tensor([b], dtype=torch.float64, requires_grad=True)

    def run() -> tuple[float, Matrix, float]:
        weights.grad = intercept.grad = None
        raw = rows @ weights + intercept
        loss = torch.nn.functional.binary_cross_entropy_with_logits(raw, labels, reduction="sum")
        loss.backward()
        return float(loss.detach()), weights.grad.numpy(), float(intercept.grad[0])

    return run


def sklearn_pass(X: Matrix, y: Matrix, w: Matrix, b: float, threads: int) -> Callable[[], Any]:
    """Loss and gradient sums by scikit-learn's LinearModelLoss."""
    from sklearn._loss import HalfBinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    judge = LinearModelLoss(base_loss=HalfBinomialLoss(), fit_intercept=True)
    theta, n = np.append(w, b), X.shape[0]

    def run() -> tuple[float, Matrix, float]:
        loss, gradient = judge.loss_gradient(theta, X, y, n_threads=threads)
        return float(loss) * n, gradient[:-1] * n, float(gradient[-1]) * n

    return run
