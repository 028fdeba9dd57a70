"""Fused passes for JAX: each is one compiled loop over blocks of rows.

The formulas of the loss come with the call and are traced into the loop, so a user's own loss runs
here like a built-in one. Compiled once for each loss, shape and dtype; `loss.parameters` are traced
numbers, so another threshold compiles nothing.

On a CPU with 200,000 x 64, a pass in blocks took 0.35 (float64), 0.3 (float32) and 0.2 (uint8
computed in float64) of the time of one `jit` over the whole array, which reads X from memory twice
and writes a converted copy of it. With one output a product is written as multiply and sum, which
XLA fuses with the conversion and the loss: as a matrix product, blocks of the same size took 1.1 to
2.2 times as long. With several outputs the matrix product wins.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .arrays import filled
from .jax_blocks import matmul, over_blocks, sum_over_blocks, times, transposed_times, weighted
from .record import Array, FusedKernel


def _raw(X: Array, W: Array, b: Array, loss: Any) -> Array:
    raw_prediction = times(X, W) + b
    return raw_prediction if loss.is_multiclass else raw_prediction[:, 0]


def _column(values: Array) -> Array:
    return values[:, None] if values.ndim == 1 else values


def _loss_and_gradient(
    loss: Any, parameters: Any, y: Array, weight: Array | None, raw: Array, dtype: Any
) -> tuple[Array, Array]:
    value = weighted(filled(jnp, loss.value(jnp, y, raw, *parameters), raw), weight)
    gradient = weighted(filled(jnp, loss.gradient(jnp, y, raw, *parameters), raw), weight)
    return jnp.sum(value).astype(dtype), _column(gradient).astype(dtype)


@partial(jax.jit, static_argnames=("loss", "captured"))
def _loss_gradient(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, parameters: Any,
    *, loss: Any, captured: tuple[float, ...],
) -> tuple[Array, Array, Array]:  # fmt: skip
    def part(X: Array, y: Array, weight: Array | None) -> Any:
        X = X.astype(W.dtype)
        raw = _raw(X, W, b, loss)
        value, gradient = _loss_and_gradient(loss, parameters, y, weight, raw, W.dtype)
        return value, transposed_times(X, gradient), jnp.sum(gradient, axis=0)

    sums: tuple[Array, Array, Array] = sum_over_blocks(part, W.dtype, X, y, sample_weight)
    return sums


@partial(jax.jit, static_argnames=("loss", "captured"))
def _curvature_product(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, parameters: Any,
    direction_W: Array, direction_b: Array, *, loss: Any,
    captured: tuple[float, ...],
) -> tuple[Array, Array]:  # fmt: skip
    def part(X: Array, y: Array, weight: Array | None) -> Any:
        X = X.astype(W.dtype)
        raw = _raw(X, W, b, loss)
        along = times(X, direction_W) + direction_b
        if loss.is_multiclass:
            bent = loss.curvature_product(jnp, y, raw, along)
        else:
            bent = filled(jnp, loss.curvature(jnp, y, raw, *parameters), raw)
            bent = bent[:, None] * along
        bent = weighted(bent, weight).astype(W.dtype)
        return transposed_times(X, bent), jnp.sum(bent, axis=0)

    products: tuple[Array, Array] = sum_over_blocks(part, W.dtype, X, y, sample_weight)
    return products


@partial(jax.jit, static_argnames=("loss", "captured"))
def _weighted_gram(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, parameters: Any,
    *, loss: Any, captured: tuple[float, ...],
) -> tuple[tuple[Array, Array, Array], Array]:  # fmt: skip
    def part(X: Array, y: Array, weight: Array | None) -> Any:
        X = X.astype(W.dtype)
        raw = _raw(X, W, b, loss)
        value, gradient = _loss_and_gradient(loss, parameters, y, weight, raw, W.dtype)
        if loss.is_multiclass:
            sums = value, transposed_times(X, gradient), jnp.sum(gradient, axis=0)
            return sums, _multinomial_gram(X, loss.inverse_link(jnp, raw), weight)
        curvature = weighted(filled(jnp, loss.curvature(jnp, y, raw, *parameters), raw), weight)[
            :, None
        ]
        curvature = curvature.astype(W.dtype)
        sums = value, transposed_times(X, gradient), jnp.sum(gradient, axis=0)
        inner, edge = matmul(X.T, X * curvature), transposed_times(X, curvature)
        corner = jnp.sum(curvature, axis=0)[None, :]
        return sums, jnp.block([[inner, edge], [edge.T, corner]])

    result: tuple[tuple[Array, Array, Array], Array] = sum_over_blocks(
        part, W.dtype, X, y, sample_weight
    )
    return result


def _multinomial_gram(X: Array, proba: Array, weight: Array | None) -> Array:
    """sum_i w_i [x_i, 1] [x_i, 1]^T (x) (diag(p_i) - p_i p_i^T), entry (j, k) at j * n_classes + k.

    A Gram matrix for each class, less that of the products of probabilities and columns.
    """
    X = jnp.concatenate([X, jnp.ones((X.shape[0], 1), X.dtype)], axis=1)
    weighted_proba = weighted(proba, weight)
    products = (X[:, :, None] * proba[:, None, :]).reshape(X.shape[0], -1)
    if weight is not None:
        products = products * jnp.sqrt(weight)[:, None]
    spread = jnp.einsum(
        "ij,il,ik,km->jklm", X, X, weighted_proba, jnp.eye(proba.shape[1], dtype=X.dtype),
        precision=lax.Precision.HIGHEST,
    )  # fmt: skip
    size = products.shape[1]
    return spread.reshape(size, size) - matmul(products.T, products)


@jax.jit
def predict_raw(X: Array, W: Array, b: Array) -> Array:
    """X @ W + b, shape (n_samples, n_outputs), in the dtype of W."""

    def part(X: Array) -> Array:
        return times(X.astype(W.dtype), W) + b

    def in_blocks(rows: int, X: Array) -> Array:
        whole = X.shape[0] // rows
        if whole == 0:
            return part(X)
        blocks = lax.map(
            lambda i: part(lax.dynamic_slice_in_dim(X, i * rows, rows)), jnp.arange(whole)
        )
        return jnp.concatenate([blocks.reshape(whole * rows, -1), part(X[whole * rows :])])

    # One output converts in registers; without a conversion there is no copy to bound.
    if W.shape[1] == 1 or X.dtype == W.dtype:
        return part(X)
    raw: Array = over_blocks(in_blocks, W.dtype, X)
    return raw


@jax.jit
def _column_sums(
    X: Array, sample_weight: Array | None, origin: Array
) -> tuple[Array, Array, Array]:
    def part(X: Array, weight: Array | None) -> Any:
        block = X.astype(origin.dtype) - origin
        heavy = weighted(block, weight)
        total = jnp.asarray(X.shape[0], origin.dtype) if weight is None else jnp.sum(weight)
        return jnp.sum(heavy, axis=0), jnp.sum(heavy * block, axis=0), total

    sums: tuple[Array, Array, Array] = sum_over_blocks(part, origin.dtype, X, sample_weight)
    return sums


def _without_parameters(loss: Any) -> Any:
    # The formulas are a static argument of `jit`, the parameters a traced one.
    return dataclasses.replace(loss, parameters=()) if loss.parameters else loss


def _in_dtype_of(W: Array, *arrays: Array | None) -> tuple[Array | None, ...]:
    # Real targets and weights join the precision of W; integer labels stay what they are.
    return tuple(
        array.astype(W.dtype)
        if array is not None and jnp.issubdtype(array.dtype, jnp.floating)
        else array
        for array in arrays
    )


def loss_gradient(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[Array, Array, Array]:
    """Sums of loss and gradient over all rows: (), (n_features, n_outputs), (n_outputs,).

    loss = sum_i w_i loss(y_i, x_i W + b), and its derivatives with respect to W and b. X of any
    real dtype, read block by block; y and sample_weight (n_samples,); all sums in the dtype of W.
    """
    y, sample_weight = _in_dtype_of(W, y, sample_weight)
    sums: tuple[Array, Array, Array] = _loss_gradient(
        X, y, sample_weight, W, b, loss.parameters,
        loss=_without_parameters(loss), captured=loss.captured_numbers(),
    )  # fmt: skip
    return sums


def curvature_product(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any,
    direction_W: Array, direction_b: Array,
) -> tuple[Array, Array]:  # fmt: skip
    """Hessian of the summed loss at (W, b) times a direction; shapes of W and b."""
    y, sample_weight = _in_dtype_of(W, y, sample_weight)
    products: tuple[Array, Array] = _curvature_product(
        X, y, sample_weight, W, b, loss.parameters, direction_W, direction_b,
        loss=_without_parameters(loss), captured=loss.captured_numbers(),
    )  # fmt: skip
    return products


def weighted_gram(
    X: Array, y: Array, sample_weight: Array | None, W: Array, b: Array, loss: Any
) -> tuple[tuple[Array, Array, Array], Array]:
    """Sums of loss and gradient, and sum_i w_i curvature_i [x_i, 1] [x_i, 1]^T, intercept last."""
    y, sample_weight = _in_dtype_of(W, y, sample_weight)
    result: tuple[tuple[Array, Array, Array], Array] = _weighted_gram(
        X, y, sample_weight, W, b, loss.parameters,
        loss=_without_parameters(loss), captured=loss.captured_numbers(),
    )  # fmt: skip
    return result


def column_sums(X: Array, sample_weight: Array | None, origin: Array) -> tuple[Array, Array, Array]:
    """sum_i w_i (x_i - origin), sum_i w_i (x_i - origin)^2 and sum_i w_i."""
    (sample_weight,) = _in_dtype_of(origin, sample_weight)
    sums: tuple[Array, Array, Array] = _column_sums(X, sample_weight, origin)
    return sums


def accepts(X: Array, *_: Any) -> bool:
    """Dense JAX arrays on one device. Rows spread over several are for the generic pass: it is two
    matrix products, which XLA partitions, and a loop over slices is not."""
    if not isinstance(X, jax.Array):
        return False
    return isinstance(X, jax.core.Tracer) or len(X.devices()) == 1


KERNELS = MappingProxyType(
    {
        "loss_gradient": FusedKernel(loss_gradient, accepts),
        "curvature_product": FusedKernel(curvature_product, accepts),
        "weighted_gram": FusedKernel(weighted_gram, accepts),
        "column_sums": FusedKernel(column_sums, accepts),
        "predict_raw": FusedKernel(predict_raw, accepts),
    }
)
