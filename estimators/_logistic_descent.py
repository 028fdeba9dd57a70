"""`LogisticRegression` by first-order descent: what solver and solver_options mean, and the fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from ..backends import Array, Backend
from ..core.device_work import on_device_of
from ..core.epoch_options import EpochOptions
from ..core.fit import objective_of, start_of
from ..core.fit_descent import fit_by_descent
from ..core.fit_minibatch import fit_by_epochs
from ..core.learning_rates import full_batch_rate, mini_batch_rate
from ..core.minibatch import begin
from ..core.objective import LinearObjective
from ..core.optimizers import SGD, AdaGrad, Adam, AdamW, Optimizer, RMSProp
from ..core.remaining import judged_by_excess
from ..core.schedules import schedule_over
from ..core.solvers.result import OUT_OF_ITERATIONS
from ..core.standing import Descent
from ._inputs import compute_dtype, name_of
from ._sgd_options import generator_of, numbers_for_steps


class _Kind(NamedTuple):
    optimizer: type[Optimizer]
    defaults: dict[str, Any]
    rate: float | None  # None: from the data


_BATCH_SIZE = 32
DEFAULT_TOL = 1e-5
DESCENTS = {
    "gd": _Kind(SGD, {}, None),
    "sgd": _Kind(SGD, {}, None),
    "momentum": _Kind(SGD, {"momentum": 0.9}, None),
    "nesterov": _Kind(SGD, {"momentum": 0.9, "nesterov": True}, None),
    "adagrad": _Kind(AdaGrad, {}, 0.3),
    "rmsprop": _Kind(RMSProp, {}, 0.03),
    "adam": _Kind(Adam, {}, 0.1),
    # The penalty is C's; a decay beside it would be another one, of the intercept too.
    "adamw": _Kind(AdamW, {"weight_decay": 0.0}, 0.1),
}
_OURS = ("learning_rate", "schedule", "batch_size", "max_norm")
# Fields of optimizers that are no option: nesterov is a solver's name, and the penalty is C's.
_NOT_OPTIONS = {"learning_rate", "nesterov", "weight_decay"}


class DescentOptions(NamedTuple):
    """What solver and solver_options ask for, checked."""

    who: str
    solver: str
    fields: dict[str, Any]  # of the optimizer, but for its rate
    learning_rate: float | None
    schedule: Any
    batch_size: float  # infinity: all rows
    max_norm: float

    def full_batch(self, n_samples: int) -> bool:
        """Whether each step takes all rows."""
        return self.batch_size >= n_samples

    def optimizer(self, rate: Callable[[], float], n_steps: int) -> Optimizer:
        """The optimizer for a fit of n_steps; `rate` finds a learning rate from the data."""
        kind = DESCENTS[self.solver]
        return kind.optimizer(learning_rate=self._schedule(rate, n_steps), **self.fields)  # type: ignore[call-arg]

    def _schedule(self, rate: Callable[[], float], n_steps: int) -> Any:
        if callable(self.schedule):
            return self.schedule
        start = self.learning_rate if self.learning_rate is not None else DESCENTS[self.solver].rate
        start = rate() if start is None else start
        name = self.schedule or ("constant" if self.solver == "gd" else "cosine")
        # By default to zero over the whole fit: the noise of batches goes with the rate.
        return schedule_over(
            name, n_steps, learning_rate=start, source=f"solver_options of {self.who}"
        )


def descent_options(estimator: Any) -> DescentOptions | None:
    """The options of a descent; None for the other solvers.

    Raises
    ------
    ValueError, TypeError
        For an option that the solver does not have, out of its range, or with another solver.
    """
    who, solver = f"{name_of(estimator)}(solver={estimator.solver!r})", estimator.solver
    given = dict(estimator.solver_options or {})
    if solver not in DESCENTS:
        if given:
            message = (
                f"{who}: solver_options={given!r} was given, but this solver has none. They are "
                f"for solver={', '.join(map(repr, DESCENTS))}; leave solver_options out."
            )
            raise ValueError(message)
        return None
    kind = DESCENTS[solver]
    own = [field.name for field in fields(kind.optimizer) if field.name not in _NOT_OPTIONS]  # type: ignore[arg-type]
    own += ["weight_decay"] if solver == "adamw" else []
    known = [name for name in _OURS if solver != "gd" or name != "batch_size"] + own
    unknown = [name for name in given if name not in known]
    if unknown:
        message = (
            f"{who}: solver_options has {', '.join(map(repr, unknown))}, which this solver does "
            f"not know. Its options are: {', '.join(known)}."
        )
        raise ValueError(message)
    _check(who, given)
    options = kind.defaults | {name: given[name] for name in own if name in given}
    kind.optimizer(**options)  # fields out of their range are refused here
    size = math.inf if solver == "gd" else given.get("batch_size", _BATCH_SIZE)
    rate, max_norm = given.get("learning_rate"), given.get("max_norm")
    return DescentOptions(
        who, solver, options, None if rate is None else float(rate), given.get("schedule"),
        size, math.inf if max_norm is None else float(max_norm),
    )  # fmt: skip


def _check(who: str, given: dict[str, Any]) -> None:
    for name, kind, wanted in (
        ("learning_rate", Real, "a number > 0, or None for the solver's own"),
        ("max_norm", Real, "a number > 0, or None"),
        ("batch_size", Integral, "a whole number > 0"),
    ):
        value = given.get(name)
        if name not in given or (value is None and name != "batch_size"):
            continue
        if isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf:
            message = f"{who}: solver_options[{name!r}] is {value!r}; it must be {wanted}."
            raise ValueError(message)
    schedule = given.get("schedule")
    if callable(schedule) and given.get("learning_rate") is not None:
        message = (
            f"{who}: solver_options has schedule={schedule!r}, which brings its own learning rate, "
            f"and learning_rate={given['learning_rate']!r} too. Set it in the schedule."
        )
        raise ValueError(message)
    if schedule is not None and not callable(schedule) and not isinstance(schedule, str):
        message = (
            f"{who}: solver_options['schedule'] is {schedule!r}; it must be the name of a "
            "schedule, or a function of the number of steps taken."
        )
        raise TypeError(message)


def numbers_of(options: DescentOptions | None, n_samples: int, max_iter: int) -> int:
    """How large X counts for backend="auto": by its steps, where they are steps of batches."""
    if options is None or options.full_batch(n_samples):
        return 0
    return numbers_for_steps(n_samples, int(options.batch_size), max_iter)


def fit_logistic_by_descent(
    options: DescentOptions, X: Array, target: Array, *, standardize: bool, random_state: Any,
    W_start: Any, b_start: Any, tol: float, max_iter: int, **common: Any,
) -> Any:  # fmt: skip
    """The fit: with all rows in each step by the objective, else by epochs of batches.

    Raises
    ------
    ValueError
        For standardize=True with batches.
    """
    n = X.shape[0]
    if options.full_batch(n):
        fit: Any = fit_by_descent(
            X, target, optimizer_of=partial(_for_all_rows, options, max_iter),
            standardize=standardize, W_start=W_start, b_start=b_start, max_iter=max_iter, tol=tol,
            max_norm=options.max_norm, name=options.solver, **common,
        )  # fmt: skip
        return fit
    if standardize:
        message = (
            f"{options.who} was asked for standardize=True with batches of {options.batch_size} "
            "rows: batches are read as they are stored. Scale the columns first "
            "(sklearn.preprocessing.StandardScaler), or take solver='gd' or 'auto'."
        )
        raise ValueError(message)
    backend: Backend = common["backend"]
    named = ("loss", "sample_weight", "l2_reg_strength", "fit_intercept")
    loss, weight, l2, fit_intercept = (common[name] for name in named)
    optimizer = options.optimizer(
        lambda: mini_batch_rate(
            X, weight, loss, backend, l2_reg_strength=l2, fit_intercept=fit_intercept
        ),
        max_iter * -(-n // int(options.batch_size)),
    )
    epochs = EpochOptions(
        batch_size=int(options.batch_size), max_iter=max_iter, tol=None, gradient_tol=tol,
        max_norm=options.max_norm,
    )  # fmt: skip
    start = None
    if W_start is not None:
        theta = np.concatenate([W_start, b_start[None, :]]) if fit_intercept else W_start
        theta = theta.astype(compute_dtype(backend, X))
        start = Descent(begin(optimizer, backend.from_numpy(theta)))
    found = fit_by_epochs(
        X, target, optimizer=optimizer, options=epochs, rng=generator_of(random_state),
        start=start, **common,
    )  # fmt: skip
    # The engine names its optimizer, which momentum and nesterov share with sgd.
    own = f"solver {type(optimizer).__name__.lower()!r}"
    message = found.result.message.replace(own, f"solver {options.solver!r}", 1)
    result = replace(found.result, solver=options.solver, message=message)
    if result.stop_reason == OUT_OF_ITERATIONS and result.n_iter > 0:
        cost = objective_of(
            X, target, weight, loss, backend, common["n_outputs"], l2, fit_intercept, False, None
        )
        with on_device_of(backend, X):
            theta = start_of(cost, found.W, found.b)
        # Who asks for less than the default asks for that gradient.
        result = judged_by_excess(result, cost, theta, suffices=tol >= DEFAULT_TOL)
    return found._replace(result=result)


def _for_all_rows(options: DescentOptions, max_iter: int, objective: LinearObjective) -> Optimizer:
    return options.optimizer(partial(full_batch_rate, objective), max_iter)
