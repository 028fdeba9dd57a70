"""Host side of the Numba kernels that fit columns of a CSR matrix: one working set, or a path."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .numba_layout import as_vector, is_csr, is_readable, kind_of, rows_for
from .record import Array

# Of nearly collinear columns it may not arrive in so many steps: then a Gram matrix does.
MOST_STEPS = 30
# Each step minimizes its model to this share of the violation: a step costs, beside its sweeps,
# about three of them. On word counts (5,574 x 8,713) 0.03 took 1.2 times as long.
MODEL_SHARE = 0.3
# Entries of X whose products a thread takes at a time, and for which one more thread is woken: a
# path asks for them at every strength, and fewer are there before it is awake on a busy machine.
CHUNK_ENTRIES = 1 << 14
ENTRIES_PER_THREAD = 1 << 18


class ColumnModel:
    """A linear model whose columns are at hand, and which remembers its predictions.

    Parameters
    ----------
    objective : LinearObjective
        One that `accepts_columns` accepts.
    theta : array of shape (size,)
        Where the model stands first.
    columns : array of shape (k,), integers, ascending; or None
        Those to be gathered; None: all.
    """

    def __init__(self, objective: Any, theta: Array, columns: Array | None = None) -> None:
        self.objective, self.free = objective, bool(objective.fit_intercept)
        self.gathered, self.factor = _gather(objective, columns)
        self.every = (*self.gathered, np.arange(self.factor.shape[0], dtype=np.uint32))
        # Columns less their means are columns with another intercept: it takes the means in here.
        self.means = np.zeros(0)
        if self.free and objective.shift is not None:
            means = objective.shift if columns is None else objective.shift[columns]
            self.means = means * self.factor
        weight = as_vector(objective.sample_weight)
        self.rows = (as_vector(objective.y), weight, float(objective.weight_sum))
        # Predictions, and the derivatives of the mean loss with respect to each of them.
        n = objective.n_samples
        self.raw, self.g, self.h = np.empty(n), np.empty(n), np.empty(n)
        self.move_to(theta)

    def move_to(self, theta: Array) -> None:
        """Let the model be this one; its derivatives are found by the next `minimize`."""
        k = self.factor.shape[0]
        self.w, self.b = np.array(theta[:k]), float(theta[k]) if self.free else 0.0
        self.b -= float(self.means @ self.w) if self.means.shape[0] else 0.0
        _kernel("predict_columns", self.every, self.w, self.b, self.raw)()

    def minimize(
        self, which: Array | None, l1: float, l2: float, tol: float, max_steps: int, *,
        share: float = MODEL_SHARE,
    ) -> tuple[float, int, bool]:  # fmt: skip
        """Go to the minimum of mean loss + l1 ||w||_1 + 0.5 l2 ||w||^2 over some columns.

        All coefficients that are not zero must be among them. Returns the cost, the steps taken,
        and whether it arrived; if not, the predictions are no longer those of the model.
        """
        from .numba_kernels.compile import pointwise_passes, prepare

        loss = self.objective.loss
        formulas = (loss.value, loss.gradient, loss.curvature)
        module = pointwise_passes(
            loss.name, formulas, "csr", loss.captured_numbers(), template_name="column_newton"
        )
        if which is None:
            which = np.arange(self.w.shape[0])
        w = self.w[which]
        arguments = (
            (*self.gathered, which.astype(np.uint32)), self.rows, w, self.b,
            (self.raw, self.g, self.h), float(l1), float(l2), self.free, float(tol),
            (min(max_steps, MOST_STEPS), share), tuple(float(number) for number in loss.parameters),
        )  # fmt: skip
        prepare(module.column_newton, f"column_newton[{loss.name}]", *arguments)
        self.b, cost, steps, ended = module.column_newton(*arguments)
        self.w[which] = w
        return float(cost), steps, ended != module.OUT_OF_STEPS

    @property
    def theta(self) -> np.ndarray[Any, Any]:
        """The parameters, as the objective has them."""
        if not self.free:
            return self.w.copy()
        b = self.b + (float(self.means @ self.w) if self.means.shape[0] else 0.0)
        return np.append(self.w, b)

    def pull_back(self, slopes: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Derivatives with respect to the predictions as derivatives with respect to theta."""
        from .numba_kernels.threads import run_on_threads

        k = self.w.shape[0]
        products, counter = np.empty(k), np.zeros(1, dtype=np.int64)
        n_entries = self.objective.X.nnz
        chunk = max(1, k * CHUNK_ENTRIES // max(1, n_entries))
        most = n_entries // ENTRIES_PER_THREAD + 1
        run_on_threads(
            _kernel("column_products", self.every, slopes, chunk, counter, products), most
        )
        if not self.free:
            return products
        along_b = float(slopes.sum())
        if self.means.shape[0]:
            products -= along_b * self.means
        return np.append(products, along_b)


def _kernel(name: str, *arguments: Any, kind: str = "") -> Callable[[], Any]:
    """The call of a kernel that knows no loss, compiled."""
    from .numba_kernels.compile import plain_passes, prepare

    kernel = getattr(plain_passes("columns_csc", "csr"), name)
    prepare(kernel, f"{name}{kind}", *arguments)
    return partial(kernel, *arguments)


def _gather(objective: Any, columns: Array | None) -> tuple[Any, np.ndarray[Any, Any]]:
    X = objective.X
    if columns is None:
        columns = np.arange(X.shape[1])
    n_columns = columns.shape[0]
    place = np.full(X.shape[1], n_columns, dtype=np.uint32)
    place[columns] = np.arange(n_columns)
    factor = np.ones(n_columns) if objective.scale is None else 1.0 / objective.scale[columns]
    kind = f"[{kind_of(X, 'csr')}]"
    return _kernel("gather_columns", rows_for(X, "csr"), place, factor, kind=kind)(), factor


def column_newton(
    objective: Any, columns: Array, start: Array, l1: float, tol: float, max_steps: int
) -> tuple[Array, int, bool | None]:
    """Fused `core.solvers.column_newton.generic_column_newton`, for CSR matrices."""
    model = ColumnModel(objective, start, columns)
    _, steps, there = model.minimize(None, l1, objective.l2_reg_strength, tol, max_steps)
    return model.theta, steps + 1, True if there else None


def accepts_column_newton(
    objective: Any, columns: Any, start: Any, l1: float, tol: float, max_steps: int
) -> bool:
    """Whether `column_newton` can read X, and has the loss."""
    return accepts_columns(objective, start)


def accepts_columns(objective: Any, theta: Any) -> bool:
    """Whether a `ColumnModel` can be made of this objective."""
    X = objective.X
    return bool(
        is_csr(X)
        and is_readable(X)
        and X.nnz > 0
        # An entry in parts would have the curvature of its parts, not of their sum.
        and X.has_canonical_format
        and X.shape[0] <= np.iinfo(np.int32).max
        and not objective.loss.is_multiclass
        and objective.dtype == np.float64
        and (objective.fit_intercept or objective.shift is None)
    )
