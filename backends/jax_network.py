"""One shuffled epoch of a network as one compiled program: a loop over its full batches, and then
the shorter batch that may remain.

The step comes with the network and is traced, so that layers of one's own run here like built-in
ones. The arrays of the layers are carried through the loop one by one: as one vector they would be
cut apart and put together again in each step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .jax_blocks import sum_over_blocks
from .jax_epoch import is_hashable
from .jax_kernels import accepts
from .record import Array

# Of rows in the order of the epoch: up to here they are put into it once, beyond they are gathered
# batch by batch. On a CPU one gather of 10,000 x 54 took 0.7 to 0.9 of the time of an epoch that
# gathered 157 times; of 10,000 x 784 in float32 it took 1.4 times as long, in uint8 as long.
ORDERED_BYTES = 1 << 23


@partial(jax.jit, static_argnames=("batch_size", "network", "form"))
def _epoch(
    X: Array, y: Array, weight: Array | None, order: Array, start: Any, numbers: Array,
    keys: Array | None, *, batch_size: int, network: Any, form: Any,
) -> tuple[Any, Array]:  # fmt: skip
    n_full = order.shape[0] // batch_size
    rest = order[n_full * batch_size :]

    def step(now: Any, t: Any, batch: Any) -> tuple[Any, Array]:
        gain, threshold, ahead, l2, max_norm, *scalars = numbers[t]
        key = None if keys is None else keys[t]
        # Of float32 the full 24 bits: JAX's default on a GPU may be TF32, which has 11.
        with jax.default_matmul_precision("highest"):
            own = tuple(scalars), gain, threshold, key, ahead, l2, max_norm
            after, loss = network.step(jnp, now, batch, form, own)
        return after, loss.astype(now.theta[0].dtype)

    batch_at = _batches(X, y, weight, order[: n_full * batch_size].reshape(n_full, batch_size))

    def full_step(t: Any, carried: Any) -> Any:
        now, losses = carried
        now, loss = step(now, t, batch_at(t))
        return now, losses.at[t].set(loss)

    losses = jnp.zeros(numbers.shape[:1], dtype=start.theta.dtype)
    now = network.stand(start)
    if n_full:
        now, losses = lax.fori_loop(0, n_full, full_step, (now, losses))
    if rest.shape[0]:
        now, loss = step(now, n_full, _rows((X, y, weight), rest))
        losses = losses.at[n_full].set(loss)
    return network.progress_of(jnp, now), losses


def _rows(arrays: Any, rows: Any) -> Any:
    return tuple(None if array is None else array[rows] for array in arrays)


def _batches(X: Array, y: Array, weight: Array | None, full: Array) -> Callable[[Any], Any]:
    arrays = X, y, weight
    if full.size * X.shape[1] * X.dtype.itemsize > ORDERED_BYTES:
        return lambda t: _rows(arrays, full[t])
    ordered = _rows(arrays, full)
    return lambda t: _rows(ordered, t)


def network_epoch(
    X: Array, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Any,
    plan: Any, keys: np.ndarray[Any, Any] | None, network: Any,
) -> tuple[Any, Array]:  # fmt: skip
    """Fused `core.network.epoch.generic_network_epoch`."""
    # The memory of `start` is not handed over: callers keep its parameters, as the best ones so
    # far. That is one copy an epoch; the loop itself works in place.
    dtype = np.dtype(start.theta.dtype)
    # One array: each argument of a program costs microseconds, and a short epoch has few.
    numbers = np.empty((plan.scalars.shape[0], 5 + plan.scalars.shape[1]), dtype)
    numbers[:, 0], numbers[:, 1] = plan.gains, plan.thresholds
    numbers[:, 2:5] = plan.ahead, plan.l2_reg_strength, plan.max_norm
    numbers[:, 5:] = plan.scalars
    found: tuple[Any, Array] = _epoch(
        X, y, sample_weight, order.astype(np.int32), start, numbers,
        None if keys is None else np.asarray(keys, dtype=np.uint32),
        batch_size=plan.batch_size, network=network, form=network.form_of(plan),
    )  # fmt: skip
    return found


@partial(jax.jit, static_argnames=("network",))
def _sums(
    X: Array, y: Array, weight: Array | None, theta: Array, *, network: Any
) -> tuple[Array, Array]:
    def part(X: Array, y: Array, weight: Array | None) -> Any:
        with jax.default_matmul_precision("highest"):
            return network.sums(jnp, theta, X, y, weight)

    found: tuple[Array, Array] = sum_over_blocks(
        part, theta.dtype, X, y, weight, width=sum(network.widths)
    )
    return found


def network_sums(
    X: Array, y: Array, sample_weight: Array | None, theta: Array, network: Any
) -> tuple[Array, Array]:
    """Fused `core.network.objective.generic_network_sums`."""
    found: tuple[Array, Array] = _sums(X, y, sample_weight, theta, network=network)
    return found


def accepts_network(X: Any, *others: Any) -> bool:
    """Dense JAX arrays on one device, and a network, which comes last, that a compiled program can
    be looked up by."""
    return accepts(X) and is_hashable(others[-1])


def accepts_network_epoch(
    X: Any, y: Any, sample_weight: Any, order: Any, start: Any, plan: Any, keys: Any, network: Any
) -> bool:
    """As `accepts_network`, and the optimizer's rule likewise."""
    return accepts_network(X, network) and is_hashable(plan.rule)
