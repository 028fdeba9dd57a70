"""What `SGDClassifier` and `SGDRegressor` share: parameters, and what `core` makes of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from ..backends import Array, Backend
from ..core.epoch_options import EpochOptions
from ..core.epochs import DivergenceError
from ..core.fit_minibatch import fit_by_epochs
from ..core.learning_rates import knows_curvature, mini_batch_rate
from ..core.loss import Loss, PointwiseLoss
from ..core.minibatch import Progress, begin
from ..core.optimizers import Optimizer, get_optimizer
from ..core.schedules import InverseScaling, Optimal, Schedule, get_schedule, schedule_over
from ..core.solvers.result import DIVERGED, INTERRUPTED
from ..core.standing import Descent
from ._base import OUR_CONSTRAINTS, LinearEstimator
from ._checkpoint import check_resume, kept_by
from ._constraints import OneOf
from ._inputs import compute_dtype, feature_names, name_of, send_features

RATES = ("optimal", "constant", "invscaling", "adaptive")

SGD_CONSTRAINTS: dict[str, list[Any]] = {
    "penalty": [OneOf({"l1", "l2", "elasticnet"}), None],
    "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "fit_intercept": ["boolean"],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "shuffle": ["boolean"],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
    "learning_rate": [OneOf(set(RATES))],
    "eta0": [Interval(Real, 0, None, closed="neither")],
    "power_t": [Interval(Real, 0, None, closed="left")],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "warm_start": ["boolean"],
    "average": [Interval(Integral, 0, None, closed="left"), "boolean"],
    "optimizer": [str, Optimizer],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterov": ["boolean"],
    "schedule": [str, callable, None],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "max_norm": [Interval(Real, 0, None, closed="neither"), None],
    "checkpoint": [str, os.PathLike, None],
    "resume": ["boolean"],
    **OUR_CONSTRAINTS,
}
# Steps of a fit from which on a compiled epoch is worth the import of its compiler: NumPy takes
# some 50 microseconds for each.
MANY_STEPS = 5_000


def numbers_for_steps(n_samples: int, batch_size: int, max_iter: int) -> int:
    """How large X counts for `auto`, by the number of steps of a fit."""
    n_steps = min(max_iter, 50) * -(-n_samples // batch_size)
    return 1 << 30 if n_steps >= MANY_STEPS else 0


def generator_of(random_state: Any, *further: int) -> np.random.Generator:
    """What draws batches, for scikit-learn's random_state; other numbers give another one."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    return np.random.default_rng((seed, *further) if further else seed)


def epoch_options(estimator: Any, batch_size: int, max_iter: int, *, stop: bool) -> EpochOptions:
    """What the parameters say of epochs; without `stop` none of them ends the fit."""
    average = estimator.average
    average_from = None
    if average:
        average_from = 1 if average is True else int(average)
    tol, max_norm = estimator.tol, estimator.max_norm
    return EpochOptions(
        batch_size=batch_size, max_iter=max_iter,
        tol=None if tol is None or not stop else float(tol),
        n_iter_no_change=int(estimator.n_iter_no_change), shuffle=bool(estimator.shuffle),
        average_from=average_from, max_norm=math.inf if max_norm is None else float(max_norm),
        adaptive=estimator.learning_rate == "adaptive",
    )  # fmt: skip


def raise_what_ended(who: str, result: Any) -> None:
    """Raise for a descent that diverged or was interrupted; its coefficients have been set."""
    if result.stop_reason == INTERRUPTED:
        raise KeyboardInterrupt
    if result.stop_reason == DIVERGED:
        message = f"{who}: {result.message}"
        raise DivergenceError(message)


class MinibatchEstimator(LinearEstimator):
    """Fits by epochs; a subclass reads its y and names its loss."""

    def _numbers(self, n_samples: int, max_iter: int) -> int:
        """How large X counts for `auto`: steps in plain Python are slow however small X is."""
        return numbers_for_steps(n_samples, self.batch_size, max_iter)

    def _optimizer(
        self, n_steps: int = 1000, stable_rate: Callable[[], float] | None = None
    ) -> Optimizer:
        """The optimizer that the parameters describe, for a fit of at most n_steps.

        `stable_rate` finds a rate from the data that steps are to begin with at most; without data
        the rate is of no meaning.

        Raises
        ------
        ValueError, TypeError
            For an unknown name, and for parameters that contradict each other.
        """
        who = name_of(self)
        if isinstance(self.optimizer, Optimizer):
            if self.momentum or self.nesterov or self.schedule is not None:
                message = (
                    f"{who}(optimizer={self.optimizer!r}) brings its own momentum and learning "
                    "rate, but momentum, nesterov or schedule is set too. Set them there."
                )
                raise ValueError(message)
            return self.optimizer
        options: dict[str, Any] = {"learning_rate": self._rate(n_steps, stable_rate)}
        if self.optimizer == "sgd":
            options |= {"momentum": self.momentum, "nesterov": self.nesterov}
        elif self.momentum or self.nesterov:
            message = (
                f"{who}(optimizer={self.optimizer!r}, momentum={self.momentum}, "
                f"nesterov={self.nesterov}): momentum and nesterov belong to optimizer='sgd'. "
                "Leave them out."
            )
            raise ValueError(message)
        return get_optimizer(self.optimizer, source=who, **options)

    def _check_options(self) -> None:
        """Refuse what contradicts itself before any work."""
        self._optimizer()
        self._strengths()
        check_resume(self)

    def _strengths(self) -> tuple[float, float]:
        """Of the L1 and the L2 penalty.

        Raises
        ------
        ValueError
            For penalty="elasticnet" without its share.
        """
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            message = (
                f"{name_of(self)}(penalty='elasticnet', l1_ratio=None): the share of the L1 "
                "penalty is missing. Pass l1_ratio between 0 and 1."
            )
            raise ValueError(message)
        if self.penalty is None:
            return 0.0, 0.0
        share = {"l1": 1.0, "l2": 0.0}.get(self.penalty, self.l1_ratio)
        return float(self.alpha * share), float(self.alpha * (1.0 - share))

    def _rate(self, n_steps: int, stable_rate: Callable[[], float] | None) -> float | Schedule:
        who = name_of(self)
        if self.schedule is not None:
            if isinstance(self.schedule, str):
                return schedule_over(
                    self.schedule, n_steps, learning_rate=float(self.eta0), source=who
                )
            return get_schedule(self.schedule, source=who)
        if self.learning_rate == "invscaling":
            return InverseScaling(float(self.eta0), power=float(self.power_t))
        plain = self.optimizer == "sgd" and not self.momentum
        # The rate that fits the curvature of the penalty; other optimizers find their own scale.
        if self.learning_rate == "optimal" and plain:
            if not self.alpha > 0.0:
                message = (
                    f"{who}(learning_rate='optimal', alpha={self.alpha}): 'optimal' is made of the "
                    "penalty's strength, so alpha must be > 0. Use learning_rate='invscaling' or "
                    "'constant' with eta0."
                )
                raise ValueError(message)
            slope = max(1.0, self._slope(self.alpha**-0.25))
            if slope > 1.0 and stable_rate is not None:
                # The gradient grows with the error: steps too long for the curvature run away.
                slope = max(slope, self.alpha**-0.25 / stable_rate())
            return Optimal(float(self.alpha), slope=slope)
        return float(self.eta0)

    def _slope(self, length: float) -> float:
        """Of the loss at a raw prediction that is wrong by `length`, for y = 1."""
        loss = self._basic_loss()
        gradient = loss.gradient(np, np.ones(1), np.full(1, -length), *loss.parameters)
        return float(np.abs(gradient)[0])

    def _basic_loss(self) -> PointwiseLoss:
        raise NotImplementedError

    def _descend(
        self, X: Array, target: Array, weight: Array | None, loss: Loss, n_outputs: int,
        backend: Backend, *, rng: np.random.Generator, max_iter: int,
        held_out: np.ndarray[Any, Any] | None = None, start: Descent | None = None,
        stop: bool = True,
    ) -> Any:  # fmt: skip
        """Epochs on the data, from a checkpoint if that is asked for."""
        who, saved, keep = name_of(self), None, None
        l1, l2 = self._strengths()
        # As many as `fit` may take, also where this is one epoch of `partial_fit`.
        n_trained = X.shape[0] - (0 if held_out is None else len(held_out))
        n_steps = int(self.max_iter) * -(-n_trained // int(self.batch_size))
        if stop:
            saved, held_out, keep = kept_by(self, X, target, weight, backend, held_out)
        X = send_features(self, X, backend)
        stable_rate = partial(
            mini_batch_rate, X, weight, loss, backend, l2_reg_strength=l2,
            fit_intercept=self.fit_intercept, batch_size=int(self.batch_size),
        )  # fmt: skip
        optimizer = self._optimizer(n_steps, stable_rate if knows_curvature(loss) else None)
        return fit_by_epochs(
            X, target, loss=loss, backend=backend,
            optimizer=optimizer, rng=rng,
            options=epoch_options(self, int(self.batch_size), max_iter, stop=stop),
            n_outputs=n_outputs, sample_weight=weight,
            l1_reg_strength=l1, l2_reg_strength=l2, fit_intercept=self.fit_intercept,
            held_out=held_out, start=start, saved=saved,
            keep=keep,
            callbacks=self._callbacks(), who=who, feature_names=feature_names(self),
        )  # fmt: skip

    def _finish(self, fit: Any, backend: Backend) -> None:
        """Attributes of how the fit went; then divergence and interruption are raised."""
        self._descent = descent_on_host(fit.descent, backend)
        self.t_ = float(fit.descent.steps_taken + 1)
        self.n_iter_ = int(fit.result.n_iter)
        self.validation_loss_history_ = np.asarray(fit.validation_losses)
        reason = fit.result.stop_reason
        # Without a tolerance all epochs were asked for.
        self._record(fit, backend, warn=reason != DIVERGED and fit.result.message != "")
        raise_what_ended(name_of(self), fit.result)

    def _descent_to_go_on(self, X: Array, n_outputs: int, backend: Backend) -> Descent | None:
        """The descent of the last call, with fresh slots where there are only coefficients."""
        kept = getattr(self, "_descent", None)
        if kept is not None:
            return descent_on_backend(kept, backend)
        if not hasattr(self, "coef_"):
            return None
        W, b = self._coefficients_of_last_fit(X, n_outputs)
        theta = np.concatenate([W, b[None, :]]) if self.fit_intercept else W
        theta = backend.from_numpy(theta.astype(compute_dtype(backend, X)))
        return Descent(begin(self._optimizer(), theta, average=bool(self.average)))

    def _generator(self) -> np.random.Generator:
        return generator_of(self.random_state)


def descent_on_host(descent: Descent, backend: Backend) -> Descent:
    """Its arrays as copies on the host."""
    return _moved(descent, lambda a: np.array(backend.to_numpy(a)))


def descent_on_backend(descent: Descent, backend: Backend) -> Descent:
    """Its arrays as those of the backend."""
    return _moved(descent, backend.from_numpy)


def _moved(descent: Descent, move: Any) -> Descent:
    now = descent.progress
    progress = Progress(
        move(now.theta), tuple(move(slot) for slot in now.slots),
        None if now.average is None else move(now.average),
    )  # fmt: skip
    return Descent(progress, descent.steps_taken, descent.rate_factor)
