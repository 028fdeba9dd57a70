"""Mini-batch descent: one shuffled epoch is one call, which a backend may compile as a whole.

The cost of a batch B is sum_{i in B} w_i loss(y_i, x_i W + b) / |B| + 0.5 * l2 * ||W||^2, with
weights of mean 1 over all rows: its gradient is an unbiased estimate of that of the whole cost.
With an L1 penalty each step ends with its proximal step: W is soft-thresholded, so that
coefficients are exact zeros.
What a step does beside the gradient is decided on the host before the epoch, for all its steps
(`Plan`): learning rates, corrections, averaging. So an epoch is data, arrays and one pointwise
rule, and NumPy, Numba, JAX and CuPy take the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ..backends import Array, Backend
from .dispatch import run_kernel
from .losses import Loss
from .optimizers import Optimizer, clip_by_global_norm
from .passes import is_sparse, loss_gradient
from .penalties import soft_threshold
from .schedules import BaseSchedule

Rule = Callable[..., tuple[Array, ...]]


class Progress(NamedTuple):
    """Parameters, and what is remembered of them between steps."""

    theta: Array  # shape=(n_features [+ 1], n_outputs): the rows of W and then b
    slots: tuple[Array, ...]  # each like theta
    average: Array | None  # like theta: mean of the parameters from some step on


class Plan(NamedTuple):
    """What the steps of one epoch do; its arrays are on the host."""

    batch_size: int
    rule: Rule
    scalars: np.ndarray[Any, Any]  # shape=(n_steps, n_scalars), float64: those of the rule
    gains: np.ndarray[Any, Any]  # shape=(n_steps,): average += gain * (theta - average)
    ahead: float  # the gradient is taken at theta + ahead * slots[0]
    l2_reg_strength: float
    max_norm: float  # gradients of a larger norm are scaled down to it; infinity for none
    plain_decay: float | None  # `Optimizer.plain_decay`: scalars[:, 0] are then learning rates
    # shape=(n_steps,): W is soft-thresholded by this after the step; all 0 without an L1 penalty
    thresholds: np.ndarray[Any, Any]

    @property
    def shrinks(self) -> bool:
        """Whether there is an L1 penalty."""
        return bool(self.thresholds.any())


def begin(optimizer: Optimizer, theta: Array, *, average: bool = False) -> Progress:
    """The progress before the first step."""
    return Progress(theta, optimizer.init(theta).slots, theta if average else None)


def plan_epoch(
    optimizer: Optimizer,
    n_samples: int,
    batch_size: int,
    *,
    steps_taken: int = 0,
    rate_factor: float = 1.0,
    average_from: int | None = None,
    l2_reg_strength: float = 0.0,
    max_norm: float = math.inf,
    l1_reg_strength: float = 0.0,
) -> Plan:
    """The steps of the next epoch.

    Parameters
    ----------
    optimizer : Optimizer
    n_samples, batch_size : int
        The last batch is shorter where they do not divide.
    steps_taken : int
        In all epochs before.
    rate_factor : float
        Multiplies the learning rate.
    average_from : int or None
        The step (the first is 1) from which on parameters are averaged.
    l2_reg_strength, max_norm, l1_reg_strength : float
        The L1 penalty's threshold is its strength times `optimizer.reach`.

    Examples
    --------
    >>> from xpfit.core.optimizers import SGD
    >>> plan = plan_epoch(SGD(learning_rate=0.5), 10, 4)
    >>> plan.scalars.tolist(), plan.gains.tolist()
    ([[0.5], [0.5], [0.5]], [0.0, 0.0, 0.0])
    """
    n_steps = -(-n_samples // batch_size)
    before = np.arange(steps_taken, steps_taken + n_steps)
    rates = rate_factor * _rates(optimizer, before)
    numbers = optimizer.scalars(before + 1, rates)
    scalars = np.empty((n_steps, len(numbers)))
    for column, number in enumerate(numbers):
        scalars[:, column] = number
    gains = np.zeros(n_steps)
    if average_from is not None:
        n_averaged = np.maximum(before + 1 - (average_from - 1), 0)
        gains = np.where(n_averaged > 0, 1.0 / np.maximum(n_averaged, 1), 1.0)
    return Plan(
        int(batch_size), optimizer.rule, scalars, gains, optimizer.ahead,
        float(l2_reg_strength), float(max_norm), optimizer.plain_decay,
        np.broadcast_to(l1_reg_strength * optimizer.reach(before + 1, rates), (n_steps,)),
    )  # fmt: skip


def _rates(optimizer: Optimizer, before: np.ndarray[Any, Any]) -> Any:
    schedule = optimizer.learning_rate
    if callable(schedule) and not isinstance(schedule, BaseSchedule):
        # A function of one's own may know one step at a time.
        return np.asarray([float(schedule(int(step))) for step in before])
    return optimizer.learning_rate_at(before)


def minibatch_epoch(
    X: Any,
    y: Array,
    sample_weight: Array | None,
    order: np.ndarray[Any, Any],
    start: Progress,
    plan: Plan,
    loss: Loss,
    *,
    backend: Backend,
    fused: bool | None = None,
) -> tuple[Progress, np.ndarray[Any, Any]]:
    """One epoch: a step for each batch of `order`.

    Parameters
    ----------
    X : array or CSR of shape (n_samples, n_features)
    y, sample_weight : arrays of shape (n_samples,), or None for weights
        Weights have mean 1.
    order : ndarray of int64, shape (n_samples,)
        Rows in the order in which they are taken: on the host, where they are drawn.
    start : Progress
    plan : Plan
    loss : Loss

    Returns
    -------
    Progress
    losses : ndarray of shape (n_steps,)
        Weighted mean loss of each batch before its step, without the penalty. After one that is
        not finite, steps may have been left out; theirs are NaN.
    """
    if plan.batch_size >= X.shape[0] == order.shape[0]:
        found, losses = _whole_batch(X, y, sample_weight, start, plan, loss, backend, fused)
    else:
        found, losses = run_kernel(
            backend, "minibatch_epoch", generic_minibatch_epoch,
            X, y, sample_weight, order, start, plan, loss, fused=fused,
        )  # fmt: skip
    return Progress(*found), np.asarray(backend.to_numpy(losses), dtype=np.float64)


def generic_minibatch_epoch(
    X: Any, y: Array, sample_weight: Array | None, order: np.ndarray[Any, Any], start: Progress,
    plan: Plan, loss: Loss, *, backend: Backend,
) -> tuple[Progress, Array]:  # fmt: skip
    """As `minibatch_epoch`, a batch after the other, on any namespace."""
    xp, n_samples, now, losses = backend.xp, order.shape[0], start, []
    for t, first in enumerate(range(0, n_samples, plan.batch_size)):
        drawn = order[first : min(first + plan.batch_size, n_samples)]
        rows = backend.from_numpy(drawn)
        batch = _Batch(
            X[drawn, :] if is_sparse(X) else xp.take(X, rows, axis=0),
            xp.take(y, rows, axis=0),
            None if sample_weight is None else xp.take(sample_weight, rows, axis=0),
        )
        now, value = _step(batch, now, plan, t, loss, backend, fused=False)
        losses.append(value)
    return now, xp.stack(losses)


def _whole_batch(
    X: Any, y: Array, sample_weight: Array | None, start: Progress, plan: Plan, loss: Loss,
    backend: Backend, fused: bool | None,
) -> tuple[Progress, Array]:  # fmt: skip
    # One step, in whatever order: the pass reads X where it lies, on all threads.
    batch = _Batch(X, y, sample_weight)
    now, value = _step(batch, start, plan, 0, loss, backend, fused=fused)
    return now, backend.xp.stack([value])


class _Batch(NamedTuple):
    X: Any
    y: Array
    sample_weight: Array | None


def _step(
    batch: _Batch, now: Progress, plan: Plan, t: int, loss: Loss, backend: Backend,
    *, fused: bool | None,
) -> tuple[Progress, Array]:  # fmt: skip
    xp, theta, d = backend.xp, now.theta, batch.X.shape[1]
    at = theta + plan.ahead * now.slots[0] if plan.ahead else theta
    W = at[:d, :]
    b = at[d, :] if at.shape[0] > d else xp.zeros_like(at[0, :])
    sums = loss_gradient(*batch, W, b, loss, backend=backend, fused=fused)
    share = 1.0 / batch.X.shape[0]
    gradient = share * sums.grad_W + plan.l2_reg_strength * W
    if at.shape[0] > d:
        gradient = xp.concat([gradient, share * sums.grad_b[None, :]], axis=0)
    if math.isfinite(plan.max_norm):
        gradient = clip_by_global_norm(gradient, plan.max_norm)[0]
    scalars = [float(number) for number in plan.scalars[t]]
    update, *slots = plan.rule(xp, gradient, theta, *now.slots, *scalars)
    theta, average = theta + update, now.average
    if plan.shrinks:
        W = soft_threshold(xp, theta[:d, :], float(plan.thresholds[t]))
        theta = xp.concat([W, theta[d:, :]], axis=0)
    if average is not None:
        average = average + float(plan.gains[t]) * (theta - average)
    value = xp.asarray(share * sums.loss, dtype=theta.dtype, device=device(theta))
    return Progress(theta, tuple(slots), average), value
