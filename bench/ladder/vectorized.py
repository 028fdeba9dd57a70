"""The patterns on whole arrays: one function each, for any array namespace."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Namespace


def affine(xp: Namespace, x: Array) -> Array:
    """2 x + 3."""
    return x * 2.0 + 3.0


def sigmoid(xp: Namespace, x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + xp.exp(-x))


def sum_of_squares(xp: Namespace, x: Array) -> Array:
    """sum(x * x)."""
    return xp.sum(x * x)


def dot(xp: Namespace, x: Array, y: Array) -> Array:
    """x @ y."""
    return x @ y


def matrix_product(xp: Namespace, A: Array, B: Array) -> Array:
    """A @ B."""
    return A @ B


def masked_sum(xp: Namespace, x: Array) -> Array:
    """sum of where(x > 0, x, 0): a boolean index would have a length that JAX cannot know."""
    return xp.sum(xp.where(x > 0.0, x, 0.0))


def where(xp: Namespace, x: Array) -> Array:
    """where(x > 0, x, 0.1 x)."""
    return xp.where(x > 0.0, x, 0.1 * x)


def fancy_indexing(xp: Namespace, table: Array, index: Array) -> Array:
    """table[index]."""
    return xp.take(table, index)


def one_hot(xp: Namespace, labels: Array) -> Array:
    """1 where the class is the label, of ten classes."""
    return xp.astype(labels[:, None] == xp.arange(10)[None, :], xp.float64)


def pairwise_differences(xp: Namespace, X: Array) -> Array:
    """Squared distances by broadcasting: (n, n, d) numbers are formed on the way."""
    return xp.sum((X[:, None, :] - X[None, :, :]) ** 2, axis=2)


def standardize(xp: Namespace, X: Array) -> Array:
    """(X - mean) / deviation, by column."""
    return (X - xp.mean(X, axis=0)) / xp.std(X, axis=0)


def add_bias(xp: Namespace, Z: Array, b: Array) -> Array:
    """Z + b, broadcast over the rows."""
    return Z + b


def _sums(xp: Namespace, X: Array, losses: Array, dZ: Array) -> tuple[Array, Array, Array]:
    return xp.sum(losses), X.T @ dZ, xp.sum(dZ, axis=0)


def logistic_pass(xp: Namespace, X: Array, y: Array, w: Array, b: Array) -> Any:
    """Forward, cost, backward, summed over the rows."""
    z = X @ w + b
    e = xp.exp(-xp.abs(z))
    losses = xp.log1p(e) + xp.where(z > 0.0, z, 0.0) - y * z
    a = xp.where(z >= 0.0, 1.0, e) / (1.0 + e)
    return _sums(xp, X, losses, a - y)


def squared_error_pass(xp: Namespace, X: Array, y: Array, w: Array, b: Array) -> Any:
    """Forward, cost, backward, summed over the rows."""
    dz = X @ w + b - y
    return _sums(xp, X, 0.5 * dz * dz, dz)


def softmax_pass(xp: Namespace, X: Array, labels: Array, W: Array, b: Array) -> Any:
    """Forward, cost, backward, summed over the rows."""
    Z = X @ W + b
    largest = xp.max(Z, axis=1, keepdims=True)
    E = xp.exp(Z - largest)
    total = xp.sum(E, axis=1, keepdims=True)
    Y = xp.astype(labels[:, None] == xp.arange(W.shape[1])[None, :], Z.dtype)
    losses = xp.log(total)[:, 0] + largest[:, 0] - xp.sum(Y * Z, axis=1)
    return _sums(xp, X, losses, E / total - Y)


def gradient_descent_step(xp: Namespace, X: Array, y: Array, w: Array, b: Array) -> Any:
    """One step of batch gradient descent on the mean logistic loss, learning rate 0.1."""
    _, grad_w, grad_b = logistic_pass(xp, X, y, w, b)
    return w - 0.1 * grad_w / X.shape[0], b[0] - 0.1 * grad_b / X.shape[0]
