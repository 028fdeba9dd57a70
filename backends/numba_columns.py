"""Host side of the Numba kernel that fits a working set of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .numba_layout import as_vector, is_csr, is_readable, kind_of, rows_for
from .record import Array

# Of nearly collinear columns it may not arrive in so many steps: then a Gram matrix does.
MOST_STEPS = 30


def column_newton(
    objective: Any, columns: Array, start: Array, l1: float, tol: float, max_steps: int
) -> tuple[Array, int, bool | None]:
    """Fused `core.solvers.column_newton.generic_column_newton`, for CSR matrices."""
    from .numba_kernels.compile import plain_passes, pointwise_passes, prepare

    X, loss, free = objective.X, objective.loss, bool(objective.fit_intercept)
    n_columns = columns.shape[0]
    place = np.full(X.shape[1], n_columns, dtype=np.uint32)
    place[columns] = np.arange(n_columns)
    factor = np.ones(n_columns) if objective.scale is None else 1.0 / objective.scale[columns]
    gather = plain_passes("columns_csc", "csr").gather_columns
    call = (rows_for(X, "csr"), place, factor)
    prepare(gather, f"gather_columns[{kind_of(X, 'csr')}]", *call)
    gathered = gather(*call)
    formulas = (loss.value, loss.gradient, loss.curvature)
    module = pointwise_passes(
        loss.name, formulas, "csr", loss.captured_numbers(), template_name="column_newton"
    )
    w, b = np.array(start[:n_columns]), float(start[n_columns]) if free else 0.0
    # Columns less their means are columns with another intercept: it takes the means in here.
    moved = free and objective.shift is not None
    means = objective.shift[columns] * factor if moved else np.zeros(0)
    b -= float(means @ w) if moved else 0.0
    arguments = (
        gathered, as_vector(objective.y), as_vector(objective.sample_weight),
        float(objective.weight_sum), w, b, float(l1), float(objective.l2_reg_strength), free,
        float(tol), min(max_steps, MOST_STEPS), tuple(float(number) for number in loss.parameters),
    )  # fmt: skip
    prepare(module.column_newton, f"column_newton[{loss.name}]", *arguments)
    b, steps, ended = module.column_newton(*arguments)
    b += float(means @ w) if moved else 0.0
    theta = np.concatenate([w, np.asarray([b])]) if free else w
    return theta, steps + 1, None if ended == module.OUT_OF_STEPS else True


def accepts_column_newton(
    objective: Any, columns: Any, start: Any, l1: float, tol: float, max_steps: int
) -> bool:
    """Whether `column_newton` can read X, and has the loss."""
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
