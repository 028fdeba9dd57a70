"""One shuffled epoch of a network: a step for each batch, in one call that a backend may compile.

The plan of the steps (learning rates, corrections, averaging) is that of the linear models,
`core/minibatch.py`; the step itself is in `step.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import Array, Backend
from ..dispatch import run_kernel
from ..minibatch import Plan, Progress
from ..passes import is_sparse
from .network import Network
from .step import Batch, StepNumbers

KERNEL = "network_epoch"


def network_epoch(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Progress,
    plan: Plan,
    keys: np.ndarray[Any, Any] | None,
    network: Network,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> tuple[Progress, np.ndarray[Any, Any]]:
    """One epoch: a step for each batch of `order`.

    Parameters
    ----------
    X : array or CSR of shape (n_samples, n_features), in any stored dtype
    y : array of shape (n_samples,) or (n_samples, n_outputs)
        As the network's output wants it.
    sample_weight : array of shape (n_samples,) or None
        Of mean 1.
    order : ndarray of int64
        Rows in the order in which they are taken: on the host.
    start : Progress
        theta, slots and average of shape (network.size,).
    plan : Plan
    keys : ndarray of uint32, shape (n_steps,), or None
        For a network that is random.
    network : Network

    Returns
    -------
    Progress
    losses : ndarray of shape (n_steps,)
        Weighted mean loss of each batch before its step, without the penalty; after one that is not
        finite, steps may have been left out, and theirs are NaN.
    """
    found, losses = run_kernel(
        backend, KERNEL, generic_network_epoch,
        X, y, sample_weight, order, start, plan, keys, network, fused=fused, in_blocks=False,
    )  # fmt: skip
    return Progress(*found), np.asarray(backend.to_numpy(losses), dtype=np.float64)


def generic_network_epoch(
    X: Any, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Progress,
    plan: Plan, keys: np.ndarray[Any, Any] | None, network: Network, *, backend: Backend,
) -> tuple[Progress, Array]:  # fmt: skip
    """As `network_epoch`, a batch after the other, on any namespace."""
    xp, losses, now, form = backend.xp, [], network.stand(start), network.form_of(plan)
    for t, first in enumerate(range(0, order.shape[0], plan.batch_size)):
        drawn = order[first : first + plan.batch_size]
        batch = take_batch(backend, Batch(X, y, sample_weight), drawn)
        now, loss = network.step(xp, now, batch, form, at_step(backend, plan, keys, t))
        losses.append(loss)
    return network.progress_of(xp, now), xp.stack(losses)


def take_batch(backend: Backend, rows: Batch, drawn: np.ndarray[Any, Any]) -> Batch:
    """These rows."""
    xp, there = backend.xp, backend.from_numpy(drawn)
    return Batch(
        rows.X[drawn, :] if is_sparse(rows.X) else xp.take(rows.X, there, axis=0),
        xp.take(rows.y, there, axis=0),
        None if rows.weight is None else xp.take(rows.weight, there, axis=0),
    )


def at_step(backend: Backend, plan: Plan, keys: np.ndarray[Any, Any] | None, t: int) -> StepNumbers:
    """The numbers of step t of an epoch."""
    key = None if keys is None else backend.from_numpy(np.asarray(keys[t], dtype=np.uint32))
    scalars = tuple(float(number) for number in plan.scalars[t])
    return StepNumbers(
        scalars, float(plan.gains[t]), float(plan.thresholds[t]), key,
        plan.ahead, plan.l2_reg_strength, plan.max_norm,
    )  # fmt: skip
