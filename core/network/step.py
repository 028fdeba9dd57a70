"""One step of a network's training, as a function of arrays.

NumPy runs it as it stands and JAX traces it; Numba's epoch does the same arithmetic from the names
and numbers of the layers. A backend's kernel reaches it through the methods of `Network`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ...backends import Array, Namespace
from ..dtypes import in_dtype
from ..minibatch import Plan, Progress
from ..optimizers import scaled_to_global_norm
from ..penalties import soft_threshold

if TYPE_CHECKING:
    from .network import Leaves, Network


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


def converted(xp: Namespace, rows: Batch, dtype: Any) -> Batch:
    """The same rows in the dtype of the parameters; codes of classes stay what they are."""
    X, y, weight = rows
    if xp.isdtype(y.dtype, "real floating"):
        y = xp.astype(y, dtype, copy=False)
    weight = None if weight is None else xp.astype(weight, dtype, copy=False)
    return Batch(in_dtype(xp, X, dtype), y, weight)


class StepNumbers(NamedTuple):
    """What a step depends on beside its arrays; Python numbers, or traced ones."""

    scalars: tuple[Any, ...]  # of the rule
    gain: Any  # average += gain * (theta - average)
    threshold: Any  # of the soft threshold of an L1 penalty
    key: Any  # shape=(), uint32; None where nothing is random
    ahead: Any  # these three are the same for all steps of an epoch
    l2_reg_strength: Any
    max_norm: Any


class Form(NamedTuple):
    """What a step does at all; hashable: a compiled step is one of this form."""

    rule: Any
    looks_ahead: bool
    decays: bool  # by an L2 penalty
    clips: bool
    shrinks: bool


def form_of(plan: Plan) -> Form:
    """The form of all steps of a plan."""
    return Form(
        plan.rule, plan.ahead != 0.0, plan.l2_reg_strength != 0.0, math.isfinite(plan.max_norm),
        plan.shrinks,
    )  # fmt: skip


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
    form: Form,
    numbers: StepNumbers,
) -> tuple[Standing, Array]:
    """One step, and the weighted mean loss of the batch before it, without the penalty."""
    k = network.n_trained
    trained = now.theta[:k]
    at = trained
    if form.looks_ahead:
        at = tuple(p + numbers.ahead * slot for p, slot in zip(trained, now.slots[0], strict=True))
    share = 1.0 / batch.X.shape[0]
    X, y, weight = converted(xp, batch, trained[0].dtype)
    total, grads, statistics = network.loss_gradient(
        xp, (*at, *now.theta[k:]), X, y, weight, key=numbers.key
    )
    places = network.places[:k]
    grads = tuple(
        share * g + numbers.l2_reg_strength * p if form.decays and place.penalized else share * g
        for g, p, place in zip(grads, at, places, strict=True)
    )
    if form.clips:
        grads = scaled_to_global_norm(grads, numbers.max_norm)[0]
    moved = [
        form.rule(xp, g, p, *slots, *numbers.scalars)
        for g, p, *slots in zip(grads, trained, *now.slots, strict=True)
    ]
    after = [p + update for p, (update, *_) in zip(trained, moved, strict=True)]
    if form.shrinks:
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
