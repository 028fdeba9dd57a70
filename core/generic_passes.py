"""The passes written on the array namespace: they run everywhere, and are the oracle of the fused.

See `passes.py` for what a pass is, and for the shapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from array_api_compat import device

from ..backends import Array, Backend, Namespace, filled
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
    if loss.is_multiclass:
        return loss.value(xp, y, raw_prediction)
    raw = raw_prediction[:, 0]
    return filled(xp, loss.value(xp, y, raw, *loss.parameters), raw)


def _loss_gradient(xp: Namespace, loss: Loss, y: Array, raw_prediction: Array) -> Array:
    if loss.is_multiclass:
        return loss.gradient(xp, y, raw_prediction)
    raw = raw_prediction[:, 0]
    return filled(xp, loss.gradient(xp, y, raw, *loss.parameters), raw)[:, None]


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
            bent = filled(xp, loss.curvature(xp, block.y, raw, *loss.parameters), raw)[:, None]
            bent = bent * along
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
    """Loss, gradient and Hessian with respect to (W, b), the rows of W first.

    For a pointwise loss sum_i w_i curvature_i [x_i, 1] [x_i, 1]^T; for the multinomial
    sum_i w_i [x_i, 1] [x_i, 1]^T (x) (diag(p_i) - p_i p_i^T), entry (j, k) at j * n_classes + k.
    """
    xp = backend.xp
    total = xp.zeros((), dtype=W.dtype, device=device(W))
    grad_W, grad_b = xp.zeros_like(W), xp.zeros_like(b)
    size = (X.shape[1] + 1) * W.shape[1]
    gram = xp.zeros((size, size), dtype=W.dtype, device=device(W))
    for block in _blocks(X, y, sample_weight, W, b, backend):
        value = _loss_value(xp, loss, block.y, block.raw_prediction)
        gradient = _loss_gradient(xp, loss, block.y, block.raw_prediction)
        gradient = _weighted(gradient, block.weight)
        total = total + xp.sum(_weighted(value, block.weight))
        grad_W = grad_W + block.X.T @ gradient
        grad_b = grad_b + xp.sum(gradient, axis=0)
        add = _multinomial_gram if loss.is_multiclass else _pointwise_gram
        gram = gram + add(xp, block, loss)
    return PassSums(total, grad_W, grad_b), gram


def _pointwise_gram(xp: Namespace, block: _Block, loss: Loss) -> Array:
    raw = block.raw_prediction[:, 0]
    curvature = filled(xp, loss.curvature(xp, block.y, raw, *loss.parameters), raw)
    curvature = _weighted(curvature, block.weight)
    if is_sparse(block.X):
        inner = (block.X.T @ block.X.multiply(curvature[:, None]).tocsr()).toarray()
    else:
        inner = block.X.T @ (block.X * curvature[:, None])
    edge = block.X.T @ curvature[:, None]
    corner = xp.reshape(xp.sum(curvature), (1, 1))
    return xp.concat(
        [xp.concat([inner, edge], axis=1), xp.concat([edge.T, corner], axis=1)], axis=0
    )


def _multinomial_gram(xp: Namespace, block: _Block, loss: Loss) -> Array:
    # diag(p) - p p^T: a Gram matrix for each class, less that of the products p_k x_j.
    X = block.X.toarray() if is_sparse(block.X) else block.X
    ones = xp.ones((X.shape[0], 1), dtype=X.dtype, device=device(X))
    X = xp.concat([X, ones], axis=1)
    proba = loss.inverse_link(xp, block.raw_prediction)
    root = proba if block.weight is None else proba * xp.sqrt(block.weight)[:, None]
    n, d, n_classes = X.shape[0], X.shape[1], proba.shape[1]
    products = xp.reshape(X[:, :, None] * root[:, None, :], (n, d * n_classes))
    weighted = _weighted(proba, block.weight)
    diagonal = xp.stack([X.T @ (X * weighted[:, k][:, None]) for k in range(n_classes)], axis=2)
    classes = xp.eye(n_classes, dtype=X.dtype, device=device(X))
    spread = diagonal[:, None, :, :] * classes[None, :, None, :]
    size = d * n_classes
    return xp.reshape(spread, (size, size)) - products.T @ products


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
