"""The passes: what a solver may ask of the data, each one read of X.

Every pass takes blocks of rows and returns *sums* over them, so a mini-batch, a whole array, a
memory map or a partition run the same code. X is read in the dtype and memory order in which it
is stored: a block at a time is converted to the dtype of W, never the whole of X.

The functions named `generic_*` are written on the array namespace and run everywhere; the public
ones let the backend replace them by a fused kernel of the same signature (`core/dispatch.py`).

Shapes: X (n_samples, n_features), y (n_samples,), sample_weight (n_samples,) or None,
W (n_features, n_outputs), b (n_outputs,). n_outputs is 1 unless the loss is multiclass.
X may be a SciPy CSR matrix on host backends.
"""

from __future__ import annotations

from ..backends import Array, Backend
from .dispatch import run_kernel
from .generic_passes import (
    PassSums,
    generic_curvature_product,
    generic_loss_gradient,
    generic_predict_raw,
    generic_weighted_gram,
    is_sparse,
    row_blocks,
)
from .losses import Loss

__all__ = [
    "PassSums",
    "curvature_product",
    "is_sparse",
    "loss_gradient",
    "predict_raw",
    "row_blocks",
    "weighted_gram",
]


def loss_gradient(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Loss,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> PassSums:
    """Sums of loss and gradient over all rows, in one pass.

    loss   = sum_i w_i loss(y_i, x_i W + b)
    grad_W = sum_i w_i x_i loss'(y_i, x_i W + b),  grad_b the same with x_i = 1

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> X, y = np.asarray([[1.0], [2.0]]), np.asarray([1.0, 1.0])
    >>> sums = loss_gradient(
    ...     X, y, None, np.ones((1, 1)), np.zeros(1), HALF_SQUARED_ERROR,
    ...     backend=get_backend("numpy"))
    >>> float(sums.loss), float(sums.grad_W[0, 0]), float(sums.grad_b[0])
    (0.5, 2.0, 1.0)
    """
    sums = run_kernel(
        backend, "loss_gradient", generic_loss_gradient,
        X, y, sample_weight, W, b, loss, fused=fused,
    )  # fmt: skip
    # A fused kernel returns a plain tuple: `backends` does not know PassSums.
    return PassSums(*sums)


def curvature_product(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Loss,
    direction_W: Array,
    direction_b: Array,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> tuple[Array, Array]:
    """Hessian of the summed loss at (W, b), times a direction, in one pass."""
    products: tuple[Array, Array] = run_kernel(
        backend, "curvature_product", generic_curvature_product,
        X, y, sample_weight, W, b, loss, direction_W, direction_b, fused=fused,
    )  # fmt: skip
    return products


def weighted_gram(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Loss,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> tuple[PassSums, Array]:
    """Loss, gradient and Hessian of the summed loss, in one pass.

    The Hessian has (n_features + 1) * n_outputs rows and columns, those of the intercept last;
    entry (j, k) of the coefficients stands at j * n_outputs + k.
    """
    sums, gram = run_kernel(
        backend, "weighted_gram", generic_weighted_gram,
        X, y, sample_weight, W, b, loss, fused=fused,
    )  # fmt: skip
    return PassSums(*sums), gram


def predict_raw(
    X: Array, W: Array, b: Array, *, backend: Backend, fused: bool | None = None
) -> Array:
    """X @ W + b, shape (n_samples, n_outputs), in one pass."""
    return run_kernel(backend, "predict_raw", generic_predict_raw, X, W, b, fused=fused)
