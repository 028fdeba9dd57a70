"""One shuffled epoch of a network: a step for each batch, in one call that a backend may compile.

The plan of the steps (learning rates, corrections, averaging) is that of the linear models,
`core/minibatch.py`. The step itself is a function of arrays: NumPy runs it as it stands, JAX traces
it, and Numba's epoch does the same arithmetic from the names and numbers of the layers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...backends import Array, Backend, Namespace
from ..dispatch import run_kernel
from ..minibatch import Plan, Progress
from ..optimizers import clip_by_global_norm
from ..passes import is_sparse
from ..penalties import soft_threshold
from .network import Leaves, Network

KERNEL = "network_epoch"


class Standing(NamedTuple):
    """`Progress`, array by array."""

    theta: Leaves  # trained leaves, then statistics
    slots: tuple[Leaves, ...]  # of the trained leaves
    average: Leaves | None


class Batch(NamedTuple):
    """Some rows, as they are stored."""

    X: Any
    y: Array
    weight: Array | None  # of mean 1 over all rows


class StepNumbers(NamedTuple):
    """What differs from step to step; Python numbers, or traced ones."""

    scalars: tuple[Any, ...]  # of the rule
    gain: Any  # average += gain * (theta - average)
    threshold: Any  # of the soft threshold of an L1 penalty
    key: Any  # shape=(), uint32; None where nothing is random


class Fixed(NamedTuple):
    """What holds for all steps of an epoch; hashable."""

    rule: Any
    ahead: float
    l2_reg_strength: float
    max_norm: float
    shrinks: bool


def fixed_part(plan: Plan) -> Fixed:
    """The part of a plan that is the same for every step."""
    return Fixed(plan.rule, plan.ahead, plan.l2_reg_strength, plan.max_norm, plan.shrinks)


def stand(network: Network, progress: Progress) -> Standing:
    """The arrays of a progress."""
    n = network.n_parameters
    slots = tuple(network.unpack(slot[:n])[: network.n_trained] for slot in progress.slots)
    average = None if progress.average is None else network.unpack(progress.average)
    return Standing(network.unpack(progress.theta), slots, average)


def progress_of(network: Network, xp: Namespace, standing: Standing) -> Progress:
    """The progress of these arrays: the way back."""
    theta = network.pack(xp, standing.theta)
    # Slots are as long as theta, so that all of a progress has one shape.
    rest = [xp.zeros_like(leaf) for leaf in standing.theta[network.n_trained :]]
    slots = tuple(network.pack(xp, [*slot, *rest]) for slot in standing.slots)
    average = None if standing.average is None else network.pack(xp, standing.average)
    return Progress(theta, slots, average)


def take_step(
    network: Network,
    xp: Namespace,
    now: Standing,
    batch: Batch,
    fixed: Fixed,
    numbers: StepNumbers,
) -> tuple[Standing, Array]:
    """One step, and the weighted mean loss of the batch before it, without the penalty."""
    k = network.n_trained
    trained = now.theta[:k]
    at = trained
    if fixed.ahead:
        at = tuple(p + fixed.ahead * slot for p, slot in zip(trained, now.slots[0], strict=True))
    dtype = trained[0].dtype
    X = batch.X.astype(dtype) if is_sparse(batch.X) else xp.astype(batch.X, dtype, copy=False)
    share = 1.0 / batch.X.shape[0]
    weight = None if batch.weight is None else xp.astype(batch.weight, dtype, copy=False)
    total, grads, statistics = network.loss_gradient(
        xp, (*at, *now.theta[k:]), X, batch.y, weight, key=numbers.key
    )
    places = network.places[:k]
    grads = tuple(
        share * g + fixed.l2_reg_strength * p if place.penalized else share * g
        for g, p, place in zip(grads, at, places, strict=True)
    )
    if math.isfinite(fixed.max_norm):
        grads = clip_by_global_norm(grads, fixed.max_norm)[0]
    moved = [
        fixed.rule(xp, g, p, *slots, *numbers.scalars)
        for g, p, *slots in zip(grads, trained, *now.slots, strict=True)
    ]
    after = [p + update for p, (update, *_) in zip(trained, moved, strict=True)]
    if fixed.shrinks:
        after = [
            soft_threshold(xp, p, numbers.threshold) if place.penalized else p
            for p, place in zip(after, places, strict=True)
        ]
    theta = (*after, *statistics)
    slots = tuple(tuple(m[1 + s] for m in moved) for s in range(len(now.slots)))
    average = now.average
    if average is not None:
        average = tuple(a + numbers.gain * (p - a) for a, p in zip(average, theta, strict=True))
    return Standing(theta, slots, average), share * total


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
    xp, losses, now = backend.xp, [], stand(network, start)
    for t, first in enumerate(range(0, order.shape[0], plan.batch_size)):
        drawn = order[first : first + plan.batch_size]
        batch = take_batch(backend, Batch(X, y, sample_weight), drawn)
        now, loss = take_step(
            network, xp, now, batch, fixed_part(plan), at_step(backend, plan, keys, t)
        )
        losses.append(loss)
    return progress_of(network, xp, now), xp.stack(losses)


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
    return StepNumbers(scalars, float(plan.gains[t]), float(plan.thresholds[t]), key)
