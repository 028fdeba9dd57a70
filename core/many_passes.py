"""One read of X for several models of one loss at once: what a path asks of the data.

Shapes: X (n_samples, n_features), y (n_samples,), sample_weight (n_samples,) or None,
W (n_features, n_models), b (n_models,). Two products of matrices take the place of many products
with vectors, each of which would read X anew.
"""

from __future__ import annotations

from typing import NamedTuple

from ..backends import Array, Backend, filled
from .dispatch import run_kernel
from .generic_passes import _convert, is_sparse
from .losses import PointwiseLoss

# Bytes of a block where the backend names none: predictions of all rows at once may not fit.
LARGEST_BLOCK = 1 << 27
SMALLEST_ROWS = 64


class ManySums(NamedTuple):
    """Sums over the rows of one pass, model by model."""

    losses: Array  # shape=(n_models,): sum_i w_i loss(y_i, x_i W_k + b_k)
    grad_W: Array  # noqa: N815 - shape=(n_features, n_models)
    grad_b: Array  # shape=(n_models,)


def losses_gradients(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: PointwiseLoss,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> ManySums:
    """Sums of loss and gradient over all rows for each model, in one pass.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.backends import get_backend
    >>> from xpfit.core.losses import HALF_SQUARED_ERROR
    >>> sums = losses_gradients(
    ...     np.asarray([[1.0], [2.0]]), np.asarray([1.0, 1.0]), None, np.asarray([[1.0, 0.0]]),
    ...     np.zeros(2), HALF_SQUARED_ERROR, backend=get_backend("numpy"))
    >>> sums.losses.tolist(), sums.grad_W.tolist(), sums.grad_b.tolist()
    ([0.5, 1.0], [[2.0, -3.0]], [1.0, -2.0])
    """
    sums = run_kernel(
        backend, "losses_gradients", generic_losses_gradients,
        X, y, sample_weight, W, b, loss, fused=fused,
    )  # fmt: skip
    return ManySums(*sums)


def generic_losses_gradients(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: PointwiseLoss,
    *,
    backend: Backend,
) -> ManySums:
    """As `losses_gradients`, two matrix products a block."""
    xp = backend.xp
    losses, grad_W, grad_b = xp.zeros_like(b), xp.zeros_like(W), xp.zeros_like(b)
    n_samples, itemsize = X.shape[0], int(xp.finfo(W.dtype).bits) // 8
    columns = 4 * W.shape[1] + (0 if is_sparse(X) else X.shape[1])
    size = max(SMALLEST_ROWS, (backend.block_bytes or LARGEST_BLOCK) // (columns * itemsize))
    for first in range(0, n_samples, size):
        rows = slice(first, min(first + size, n_samples))
        block = _convert(xp, X[rows, :], W.dtype)
        raw = block @ W + b
        target = xp.broadcast_to(y[rows][:, None], raw.shape)
        value = filled(xp, loss.value(xp, target, raw, *loss.parameters), raw)
        slope = filled(xp, loss.gradient(xp, target, raw, *loss.parameters), raw)
        if sample_weight is not None:
            weight = sample_weight[rows][:, None]
            value, slope = value * weight, slope * weight
        losses = losses + xp.sum(value, axis=0)
        grad_W = grad_W + block.T @ slope
        grad_b = grad_b + xp.sum(slope, axis=0)
    return ManySums(losses, grad_W, grad_b)
