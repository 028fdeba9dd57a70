"""The loop over epochs of mini-batch descent: when to stop, what to keep, and what to say."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend
from .buckets import Rows
from .epoch_options import EpochOptions
from .losses import Loss
from .minibatch import Plan, Progress, minibatch_epoch, plan_epoch
from .optimizers import Optimizer
from .passes import PassSums, loss_gradient
from .penalties import ElasticNet
from .solvers.result import (
    CONVERGED,
    DIVERGED,
    INTERRUPTED,
    NO_IMPROVEMENT,
    OUT_OF_ITERATIONS,
    STOPPED_BY_CALLBACK,
    SUCCESS,
    Callback,
    Coefficients,
    History,
    IterationRecord,
    SolverResult,
)
from .standing import Descent, Keep, Standing

# The "adaptive" rate is divided by this where the cost does not fall, down to LEAST_RATE of itself.
ADAPTIVE_FACTOR = 5.0
LEAST_RATE = 1e-6
# Seconds between two snapshots of a fit that is kept.
KEEP_SECONDS = 1.0


class DivergenceError(ArithmeticError):
    """The cost left the numbers: the learning rate is too large for these data."""


@dataclass
class EpochRun:
    """One fit: the data, and what every epoch needs."""

    rows: Rows
    trained: np.ndarray[Any, Any]  # the rows that steps read
    loss: Loss | None  # None: the run itself knows what a loss is
    backend: Backend
    optimizer: Optimizer
    l2_reg_strength: float
    options: EpochOptions
    rng: np.random.Generator
    fused: bool | None = None
    validation: Rows | None = None
    l1_reg_strength: float = 0.0
    trouble: str = ""  # what more is known of a loss that is not finite

    def epoch(self, descent: Descent) -> float:
        """Take one epoch; its mean cost, which is not finite where the descent has diverged."""
        options, n = self.options, self.trained.shape[0]
        order = self.rng.permutation(self.trained) if options.shuffle else self.trained
        plan = plan_epoch(
            self.optimizer, n, options.batch_size, steps_taken=descent.steps_taken,
            rate_factor=descent.rate_factor, average_from=options.average_from,
            l2_reg_strength=self.l2_reg_strength, max_norm=options.max_norm,
            l1_reg_strength=self.l1_reg_strength,
        )  # fmt: skip
        descent.progress, losses = self.take_epoch(order, descent.progress, plan)
        broken = np.flatnonzero(~np.isfinite(losses))
        descent.steps_taken += int(broken[0]) if broken.size else losses.shape[0]
        if broken.size:
            return math.nan
        # The loss of a batch is that before its step: nothing has looked at the last step yet.
        if not math.isfinite(float(self.backend.xp.sum(descent.progress.theta))):
            descent.steps_taken -= 1
            self.trouble = self.where_not_finite(self.theta(descent))
            return math.nan
        sizes = np.full(losses.shape[0], min(options.batch_size, n))
        sizes[-1] = n - sizes[:-1].sum()
        cost = float(losses @ sizes / n) + self.penalty(self.theta(descent))
        if not math.isfinite(cost):
            descent.steps_taken -= 1
            self.trouble = ", where the penalty of the weights after it is not finite"
        return cost

    def take_epoch(
        self, order: np.ndarray[Any, Any], start: Progress, plan: Plan
    ) -> tuple[Progress, np.ndarray[Any, Any]]:
        """The steps of one epoch, and the loss of each batch."""
        assert self.loss is not None
        return minibatch_epoch(
            *self.rows, order, start, plan, self.loss, backend=self.backend, fused=self.fused
        )

    def where_not_finite(self, theta: Array) -> str:
        """Which parameters are not finite, as a clause for a message."""
        return ", where the coefficients after it are not finite"

    def theta(self, descent: Descent) -> Array:
        """The parameters that stand for the model."""
        average = descent.progress.average
        return descent.progress.theta if average is None else average

    def read(self, theta: Array) -> Coefficients:
        """W and b on the host, float64."""
        d = self.rows.X.shape[1]
        host = np.array(self.backend.to_numpy(theta), dtype=np.float64)
        return host[:d], host[d] if host.shape[0] > d else np.zeros(host.shape[1])

    @property
    def net(self) -> ElasticNet:
        """The penalty."""
        return ElasticNet(self.l1_reg_strength, self.l2_reg_strength)

    def penalty(self, theta: Array) -> float:
        """l1 * ||W||_1 + 0.5 * l2 * ||W||^2."""
        return float(self.net.value(self.backend.xp, theta[: self.rows.X.shape[1], :]))

    def examine(self, theta: Array) -> tuple[float, float]:
        """Cost of all rows, and the largest absolute entry of its gradient; with an L1 penalty,
        of its distance from optimality."""
        xp, share = self.backend.xp, 1.0 / self.trained.shape[0]
        sums, W = self._sums(self.rows, theta), theta[: self.rows.X.shape[1], :]
        parts = [self.net.violations(xp, W, share * sums.grad_W)]
        if theta.shape[0] > W.shape[0]:
            parts.append(share * xp.abs(sums.grad_b)[None, :])
        norm = float(xp.max(xp.concat(parts, axis=0)))
        return share * float(sums.loss) + self.penalty(theta), norm

    def validate(self, theta: Array) -> float:
        """Weighted mean loss on the held-out rows."""
        held, xp = self.validation, self.backend.xp
        assert held is not None
        sums = self._sums(held, theta)
        total = float(held.X.shape[0])
        if held.sample_weight is not None:
            total = float(xp.sum(held.sample_weight))
        return float(sums.loss) / total

    def _sums(self, rows: Rows, theta: Array) -> PassSums:
        assert self.loss is not None
        d = rows.X.shape[1]
        b = theta[d, :] if theta.shape[0] > d else self.backend.xp.zeros_like(theta[0, :])
        return loss_gradient(
            *rows, theta[:d, :], b, self.loss, backend=self.backend, fused=self.fused
        )


def refuse(at_fault: str | None) -> None:
    """What is at fault is an error, if anything is."""
    if at_fault is not None:
        raise ValueError(at_fault)


def run_epochs(
    run: EpochRun,
    standing: Standing,
    callbacks: Sequence[Callback],
    check: Callable[[], str | None],
    keep: Keep | None = None,
) -> tuple[Array, SolverResult]:
    """Epochs until a reason to stop; the parameters to keep.

    Parameters
    ----------
    run : EpochRun
    standing : Standing
        Changed in place.
    callbacks : sequence of callable
    check : callable
        What is at fault in X, if anything is.
    keep : callable or None
        Is handed a snapshot at the end, and every KEEP_SECONDS before.
    """
    history = History(callbacks, standing.records, first=1)
    if standing.records:
        history.started -= standing.records[-1].seconds
    kept_at = time.perf_counter()
    reason = _reason_to_stop(run, standing)
    try:
        while reason is None:
            reason = _one_epoch(run, standing, history, check)
            due = time.perf_counter() - kept_at > KEEP_SECONDS
            if keep is not None and reason != DIVERGED and (due or reason is not None):
                keep(standing.snapshot(run.backend, run.rng))
                kept_at = time.perf_counter()
    except KeyboardInterrupt:
        reason = INTERRUPTED
    keeps_best = run.validation is not None or reason in {DIVERGED, INTERRUPTED}
    theta = standing.best.theta if keeps_best else run.theta(standing.descent)
    return theta, _result(theta, reason, run, standing.descent, history)


def _one_epoch(
    run: EpochRun, standing: Standing, history: History, check: Callable[[], str | None]
) -> str | None:
    """Take an epoch and note it; the reason to stop, if there is one."""
    descent, n_before = standing.descent, len(standing.records)
    cost = run.epoch(descent)
    if not math.isfinite(cost):
        refuse(check() if n_before == 0 else None)
        return DIVERGED
    theta, norm, tol = run.theta(descent), math.nan, run.options.gradient_tol
    if tol is not None:
        cost, norm = run.examine(theta)
    watched = cost
    if run.validation is not None:
        watched = run.validate(theta)
        if not math.isfinite(watched):
            refuse(check())
            return DIVERGED
        standing.validation_losses.append(watched)
    standing.best.see(watched, theta, run.options.tol)
    n_passes = (n_before + 1) * (1 if tol is None else 2)
    if history.add(cost, norm, n_passes, partial(run.read, theta)):
        return STOPPED_BY_CALLBACK
    if tol is not None and norm <= tol:
        return CONVERGED
    return _reason_to_stop(run, standing)


def _reason_to_stop(run: EpochRun, standing: Standing) -> str | None:
    options, best, descent = run.options, standing.best, standing.descent
    if best.n_waiting >= options.n_iter_no_change:
        if not options.adaptive or descent.rate_factor <= LEAST_RATE:
            return NO_IMPROVEMENT
        descent.rate_factor /= ADAPTIVE_FACTOR
        best.n_waiting = 0
    return OUT_OF_ITERATIONS if len(standing.records) >= options.max_iter else None


def _result(
    theta: Array, reason: str, run: EpochRun, descent: Descent, history: History
) -> SolverResult:
    n_epochs = len(history.records)
    nothing = IterationRecord(0, math.nan, math.nan, 0, 0.0)
    last = history.records[-1] if history.records else nothing
    return SolverResult(
        theta=theta,
        loss=last.loss,
        gradient_norm=last.gradient_norm,
        n_iter=n_epochs,
        n_passes=last.n_passes,
        seconds=time.perf_counter() - history.started,
        converged=reason in SUCCESS,
        stop_reason=reason,
        message=_advice(reason, run, descent, n_epochs, last.gradient_norm),
        solver=type(run.optimizer).__name__.lower(),
        history=history.records,
    )


def _advice(reason: str, run: EpochRun, descent: Descent, n_epochs: int, norm: float) -> str:
    if reason == DIVERGED:
        step = descent.steps_taken
        rate = float(descent.rate_factor * run.optimizer.learning_rate_at(max(0, step - 1)))
        return (
            f"the descent diverged: the loss is not finite at step {step + 1}, in epoch "
            f"{n_epochs + 1}{run.trouble}, and the learning rate was {rate:.3g}. Lower the "
            "learning rate, scale the columns (sklearn.preprocessing.StandardScaler), or clip "
            "gradients (max_norm). The parameters of the best epoch are kept."
        )
    tol = run.options.gradient_tol
    if reason == OUT_OF_ITERATIONS and tol is not None:
        return (
            f"solver {type(run.optimizer).__name__.lower()!r} stopped after {n_epochs} epochs "
            f"because {reason}; gradient_norm is {norm:.3g}, tol is {tol:.3g}. Raise max_iter, or "
            "tol if this is close enough."
        )
    if reason == OUT_OF_ITERATIONS and run.options.tol is not None:
        return (
            f"the cost still fell by more than tol={run.options.tol} after max_iter={n_epochs} "
            "epochs. Raise max_iter, or tol if this is close enough."
        )
    return ""
