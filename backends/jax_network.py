"""One shuffled epoch of a network as one compiled program: a loop over its full batches, and then
the shorter batch that may remain.

The step comes with the network and is traced, so that layers of one's own run here like built-in
ones. The arrays of the layers are carried through the loop one by one: as one vector they would be
cut apart and put together again in each step.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .arrays import bucket_size
from .jax_kernels import _in_dtype_of, accepts
from .record import Array


@partial(jax.jit, static_argnames=("network", "form"))
def _epoch(
    X: Array, y: Array, weight: Array | None, order: Array, rest: Array, n_full: Any, start: Any,
    numbers: Array, keys: Array | None, same: Any, *, network: Any, form: Any,
) -> tuple[Any, Array]:  # fmt: skip
    def step(now: Any, t: Any, rows: Array) -> tuple[Any, Array]:
        batch = X[rows], y[rows], None if weight is None else weight[rows]
        gain, threshold, *scalars = numbers[t]
        key = None if keys is None else keys[t]
        # Of float32 the full 24 bits: JAX's default on a GPU may be TF32, which has 11.
        with jax.default_matmul_precision("highest"):
            after, loss = network.step(
                jnp, now, batch, form, (tuple(scalars), gain, threshold, key, *same)
            )
        return after, loss.astype(now.theta[0].dtype)

    def full_step(t: Any, carried: Any) -> Any:
        now, losses = carried
        now, loss = step(now, t, order[t])
        return now, losses.at[t].set(loss)

    losses = jnp.full(numbers.shape[:1], jnp.nan, dtype=start.theta.dtype)
    now, losses = lax.fori_loop(0, n_full, full_step, (network.stand(start), losses))
    if rest.shape[0]:
        now, loss = step(now, n_full, rest)
        losses = losses.at[n_full].set(loss)
    return network.progress_of(jnp, now), losses


def _filled_up(values: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    filled = np.zeros((size, *values.shape[1:]), values.dtype)
    filled[: values.shape[0]] = values
    return filled


def network_epoch(
    X: Array, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Any,
    plan: Any, keys: np.ndarray[Any, Any] | None, network: Any,
) -> tuple[Any, Array]:  # fmt: skip
    """Fused `core.network.epoch.generic_network_epoch`."""
    # The memory of `start` is not handed over: callers keep its parameters, as the best ones so
    # far. That is one copy an epoch; the loop itself works in place.
    dtype = np.dtype(start.theta.dtype)
    y, sample_weight = _in_dtype_of(start.theta, y, sample_weight)
    n_steps, batch_size = plan.scalars.shape[0], plan.batch_size
    n_full = order.shape[0] // batch_size
    size = bucket_size(n_steps)
    rows = order.astype(np.int32)
    full = _filled_up(rows[: n_full * batch_size].reshape(n_full, batch_size), size)
    numbers = np.column_stack([plan.gains, plan.thresholds, plan.scalars]).astype(dtype)
    same = np.asarray([plan.ahead, plan.l2_reg_strength, plan.max_norm], dtype=dtype)
    found, losses = _epoch(
        X, y, sample_weight, full, rows[n_full * batch_size :], np.int32(n_full), start,
        _filled_up(numbers, size),
        None if keys is None else _filled_up(np.asarray(keys, dtype=np.uint32), size),
        tuple(same), network=network, form=network.form_of(plan),
    )  # fmt: skip
    return found, losses[:n_steps]


def accepts_network(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, keys: Any, network: Any
) -> bool:
    """Dense JAX arrays on one device, and layers that a compiled program can be looked up by."""
    try:
        hash(network)
    except TypeError:
        return False
    return accepts(X)
