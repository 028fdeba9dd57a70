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

from collections.abc import Iterator
from typing import Any, NamedTuple

from array_api_compat import device

from ..backends import Array, Backend, Namespace
from .dispatch import run_kernel
from .losses import Loss

# A block shorter than this costs more in calls than it saves in cache misses.
SMALLEST_BLOCK = 64


class PassSums(NamedTuple):
    """Sums over the rows of one pass, before the mean is taken and the penalty added."""

    loss: Any  # shape=(): sum_i w_i loss_i
    grad_W: Array  # noqa: N815 - shape=(n_features, n_outputs): sum_i w_i x_i gradient_i
    grad_b: Array  # shape=(n_outputs,): sum_i w_i gradient_i


def is_sparse(X: Any) -> bool:
    """Whether X is a SciPy sparse matrix or array."""
    return hasattr(X, "indptr") and hasattr(X, "indices")


def row_blocks(X: Array, itemsize: int, block_bytes: int | None) -> Iterator[slice]:
    """Slices of rows that cover X, each about `block_bytes` once converted."""
    n_samples, n_features = X.shape
    rows = n_samples
    if block_bytes is not None and not is_sparse(X):
        rows = max(SMALLEST_BLOCK, block_bytes // max(1, n_features * itemsize))
    for start in range(0, n_samples, max(1, rows)):
        yield slice(start, min(start + rows, n_samples))


def _itemsize(xp: Namespace, W: Array) -> int:
    # Not dtype.itemsize: the standard gives a dtype no attributes.
    return int(xp.finfo(W.dtype).bits) // 8


def _convert(xp: Namespace, block: Array, dtype: Any) -> Array:
    if is_sparse(block):
        return block.astype(dtype, copy=False)
    return xp.astype(block, dtype, copy=False)


class _Block(NamedTuple):
    X: Array
    y: Array
    weight: Array | None
    raw_prediction: Array  # (rows, n_outputs)


def _blocks(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, backend: Backend
) -> Iterator[_Block]:
    xp = backend.xp
    for rows in row_blocks(X, _itemsize(xp, W), backend.block_bytes):
        whole = rows.stop - rows.start == X.shape[0]
        block = _convert(xp, X if whole else X[rows, :], W.dtype)
        yield _Block(
            block,
            y[rows],
            None if sample_weight is None else sample_weight[rows],
            block @ W + b,
        )


def _weighted(values: Array, weight: Array | None) -> Array:
    if weight is None:
        return values
    return values * weight if values.ndim == 1 else values * weight[:, None]


def _loss_value(xp: Namespace, loss: Loss, y: Array, raw_prediction: Array) -> Array:
    raw = raw_prediction if loss.is_multiclass else raw_prediction[:, 0]
    return loss.value(xp, y, raw, *loss.parameters)


def _loss_gradient(xp: Namespace, loss: Loss, y: Array, raw_prediction: Array) -> Array:
    if loss.is_multiclass:
        return loss.gradient(xp, y, raw_prediction)
    return loss.gradient(xp, y, raw_prediction[:, 0], *loss.parameters)[:, None]


def generic_loss_gradient(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Loss,
    *,
    backend: Backend,
) -> PassSums:
    """Loss and gradient, two matrix products a block."""
    xp = backend.xp
    total = xp.zeros((), dtype=W.dtype, device=device(W))
    grad_W, grad_b = xp.zeros_like(W), xp.zeros_like(b)
    for block in _blocks(X, y, sample_weight, W, b, backend):
        value = _loss_value(xp, loss, block.y, block.raw_prediction)
        gradient = _loss_gradient(xp, loss, block.y, block.raw_prediction)
        weighted_gradient = _weighted(gradient, block.weight)
        total = total + xp.sum(_weighted(value, block.weight))
        grad_W = grad_W + block.X.T @ weighted_gradient
        grad_b = grad_b + xp.sum(weighted_gradient, axis=0)
    return PassSums(total, grad_W, grad_b)


def generic_curvature_product(
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
) -> tuple[Array, Array]:
    """Hessian of the summed loss at (W, b), times (direction_W, direction_b)."""
    xp = backend.xp
    product_W, product_b = xp.zeros_like(W), xp.zeros_like(b)
    for block in _blocks(X, y, sample_weight, W, b, backend):
        along = block.X @ direction_W + direction_b
        if loss.is_multiclass:
            bent = loss.curvature_product(xp, block.y, block.raw_prediction, along)
        else:
            raw = block.raw_prediction[:, 0]
            bent = loss.curvature(xp, block.y, raw, *loss.parameters)[:, None] * along
        bent = _weighted(bent, block.weight)
        product_W = product_W + block.X.T @ bent
        product_b = product_b + xp.sum(bent, axis=0)
    return product_W, product_b


def generic_weighted_gram(
    X: Array,
    y: Array,
    sample_weight: Array | None,
    W: Array,
    b: Array,
    loss: Loss,
    *,
    backend: Backend,
) -> tuple[PassSums, Array]:
    """Loss, gradient and sum_i w_i curvature_i [x_i, 1] [x_i, 1]^T, for a pointwise loss."""
    xp = backend.xp
    n_features = X.shape[1]
    total = xp.zeros((), dtype=W.dtype, device=device(W))
    grad_W, grad_b = xp.zeros_like(W), xp.zeros_like(b)
    inner = xp.zeros((n_features, n_features), dtype=W.dtype, device=device(W))
    edge = xp.zeros((n_features, 1), dtype=W.dtype, device=device(W))
    corner = xp.zeros((1, 1), dtype=W.dtype, device=device(W))
    for block in _blocks(X, y, sample_weight, W, b, backend):
        raw = block.raw_prediction[:, 0]
        value = loss.value(xp, block.y, raw, *loss.parameters)
        gradient = _weighted(loss.gradient(xp, block.y, raw, *loss.parameters), block.weight)
        curvature = _weighted(loss.curvature(xp, block.y, raw, *loss.parameters), block.weight)
        total = total + xp.sum(_weighted(value, block.weight))
        grad_W = grad_W + block.X.T @ gradient[:, None]
        grad_b = grad_b + xp.sum(gradient)
        if is_sparse(block.X):
            scaled = block.X.multiply(curvature[:, None]).tocsr()
            inner = inner + (block.X.T @ scaled).toarray()
        else:
            inner = inner + block.X.T @ (block.X * curvature[:, None])
        edge = edge + block.X.T @ curvature[:, None]
        corner = corner + xp.sum(curvature)
    gram = xp.concat(
        [xp.concat([inner, edge], axis=1), xp.concat([edge.T, corner], axis=1)], axis=0
    )
    return PassSums(total, grad_W, grad_b), gram


def generic_predict_raw(X: Array, W: Array, b: Array, *, backend: Backend) -> Array:
    """X @ W + b, shape (n_samples, n_outputs)."""
    xp = backend.xp
    parts = []
    for rows in row_blocks(X, _itemsize(xp, W), backend.block_bytes):
        whole = rows.stop - rows.start == X.shape[0]
        parts.append(_convert(xp, X if whole else X[rows, :], W.dtype) @ W + b)
    if not parts:
        return xp.zeros((0, W.shape[1]), dtype=W.dtype, device=device(W))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=0)


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
    """Loss, gradient and Hessian of the summed pointwise loss, in one pass.

    The Hessian has shape (n_features + 1, n_features + 1), the intercept last.
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
