"""One shuffled epoch of mini-batch descent as one compiled program: a loop over its batches.

The number of batches is an argument of the program, and the arrays that have an entry for each are
filled up to a bucket: another number of rows, or of batches, rarely compiles anything.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import bucket_size, filled
from .constants import NORM_FLOOR
from .jax_blocks import times, transposed_times, weighted
from .jax_kernels import _in_dtype_of, _without_parameters, accepts
from .record import Array


@partial(jax.jit, static_argnames=("loss", "captured", "rule", "clips", "looks_ahead", "shrinks"))
def _epoch(
    X: Array, y: Array, weight: Array | None, order: Array, n_rows: Any, start: Any,
    gains: Array, scalars: Array, thresholds: Array, numbers: Any, parameters: Any, *, loss: Any,
    captured: tuple[float, ...], rule: Any, clips: bool, looks_ahead: bool,
    shrinks: bool,
) -> tuple[Any, Array]:  # fmt: skip
    d, dtype, batch_size = X.shape[1], start.theta.dtype, order.shape[1]
    ahead, l2, max_norm = (number.astype(dtype) for number in numbers)

    def gradient_of(at: Array, t: Any) -> tuple[Array, Array]:
        rows, count = order[t], jnp.minimum(batch_size, n_rows - t * batch_size)
        # The last batch is filled up, with rows that do not count.
        own = (jnp.arange(batch_size) < count).astype(dtype) / count.astype(dtype)
        own = own if weight is None else own * weight[rows]
        block, targets = X[rows].astype(dtype), y[rows]
        raw = times(block, at[:d])
        raw = raw + at[d] if at.shape[0] > d else raw
        raw = raw if loss.is_multiclass else raw[:, 0]
        value = weighted(filled(jnp, loss.value(jnp, targets, raw, *parameters), raw), own)
        g = weighted(filled(jnp, loss.gradient(jnp, targets, raw, *parameters), raw), own)
        g = (g if g.ndim == 2 else g[:, None]).astype(dtype)
        gradient = transposed_times(block, g) + l2 * at[:d]
        if at.shape[0] > d:
            gradient = jnp.concatenate([gradient, jnp.sum(g, axis=0)[None]])
        return jnp.sum(value).astype(dtype), gradient

    def step(t: Any, carried: Any) -> Any:
        now, losses = carried
        theta, average = now.theta, now.average
        at = theta + ahead * now.slots[0] if looks_ahead else theta
        value, gradient = gradient_of(at, t)
        if clips:
            factor = max_norm / (jnp.sqrt(jnp.sum(gradient * gradient)) + NORM_FLOOR)
            gradient = gradient * jnp.where(factor > 1.0, 1.0, factor)
        update, *slots = rule(jnp, gradient, theta, *now.slots, *scalars[t])
        theta = theta + update
        if shrinks:
            least = jnp.where(jnp.arange(theta.shape[0]) < d, thresholds[t], 0.0)[:, None]
            theta = theta - jnp.clip(theta, -least, least)
        if average is not None:
            average = average + gains[t] * (theta - average)
        return type(now)(theta, tuple(slots), average), losses.at[t].set(value)

    losses = jnp.full(order.shape[:1], jnp.nan, dtype=dtype)
    found: tuple[Any, Array] = lax.fori_loop(0, -(-n_rows // batch_size), step, (start, losses))
    return found


def is_hashable(part: Any) -> bool:
    """Whether a compiled program can be looked up by this part of it."""
    try:
        hash(part)
    except TypeError:
        return False
    return True


def _filled_up(values: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    missing = np.zeros((size - values.shape[0], *values.shape[1:]), values.dtype)
    return np.concatenate([values, missing])


def minibatch_epoch(
    X: Array, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Any,
    plan: Any, loss: Any,
) -> tuple[Any, Array]:  # fmt: skip
    """Fused `core.minibatch.generic_minibatch_epoch`."""
    theta = start.theta
    dtype = np.dtype(theta.dtype)
    y, sample_weight = _in_dtype_of(theta, y, sample_weight)
    n_steps, batch_size = plan.scalars.shape[0], plan.batch_size
    size = bucket_size(n_steps)
    rows = _filled_up(order.astype(np.int32), size * batch_size).reshape(size, batch_size)
    numbers = np.asarray([plan.ahead, plan.l2_reg_strength, plan.max_norm], dtype=dtype)
    found, losses = _epoch(
        X, y, sample_weight, rows, np.int32(order.shape[0]), start,
        _filled_up(plan.gains.astype(dtype), size), _filled_up(plan.scalars.astype(dtype), size),
        _filled_up(plan.thresholds.astype(dtype), size),
        tuple(numbers), loss.parameters, loss=_without_parameters(loss),
        captured=loss.captured_numbers(), rule=plan.rule, clips=math.isfinite(plan.max_norm),
        looks_ahead=plan.ahead > 0.0, shrinks=plan.shrinks,
    )  # fmt: skip
    return found, losses[:n_steps]


def accepts_epoch(
    X: Array, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, loss: Any
) -> bool:
    """Dense JAX arrays on one device, and a rule that a compiled program can be looked up by."""
    return accepts(X) and is_hashable(plan.rule)
