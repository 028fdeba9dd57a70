"""From the parameters of `MLPClassifier` and `MLPRegressor` to an optimizer and its rate."""

from __future__ import annotations

from typing import Any

from ..core.optimizers import OPTIMIZERS, SGD, Optimizer
from ..core.options import build
from ..core.schedules import InverseScaling, Schedule, get_schedule, schedule_over
from ._base import changed_parameters
from ._inputs import name_of

# Names of SGD, and whether its momentum is Nesterov's; None: as `nesterovs_momentum` says.
_DESCENTS: dict[str, bool | None] = {"sgd": None, "momentum": False, "nesterov": True}
_KINDS = {**OPTIMIZERS, **dict.fromkeys(_DESCENTS, SGD)}
# What an Optimizer brings itself. learning_rate="adaptive" acts on any.
_BROUGHT = (
    "schedule", "learning_rate_init", "power_t", "momentum", "nesterovs_momentum", "beta_1",
    "beta_2", "epsilon",
)  # fmt: skip


def optimizer_of(estimator: Any, n_steps: int) -> Optimizer:
    """The optimizer that the parameters describe, for a fit of at most n_steps.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, and for parameters of which one would have no effect.
    """
    asked = estimator.optimizer
    if isinstance(asked, Optimizer):
        _refuse_beside_an_optimizer(estimator)
        return asked
    _refuse_beside_a_schedule(estimator)
    name = estimator.solver if asked is None else asked
    options: dict[str, Any] = {"learning_rate": _rate(estimator, n_steps)}
    if name in _DESCENTS:
        options |= _momentum(estimator, name)
    elif name in {"adam", "adamw"}:
        options |= {
            "beta1": float(estimator.beta_1), "beta2": float(estimator.beta_2),
            "epsilon": float(estimator.epsilon),
        }  # fmt: skip
    made: Optimizer = build(
        name, _KINDS, options, what="optimizer", source=name_of(estimator),
        remedy="Give one of these names, or an Optimizer.",
    )  # fmt: skip
    return made


def _rate(estimator: Any, n_steps: int) -> float | Schedule:
    who, first = name_of(estimator), float(estimator.learning_rate_init)
    if isinstance(estimator.schedule, str):
        return schedule_over(estimator.schedule, n_steps, learning_rate=first, source=who)
    if estimator.schedule is not None:
        return get_schedule(estimator.schedule, source=who)
    if estimator.learning_rate == "invscaling":
        return InverseScaling(first, power=float(estimator.power_t))
    return first


def _momentum(estimator: Any, name: str) -> dict[str, Any]:
    who, momentum, nesterov = name_of(estimator), float(estimator.momentum), _DESCENTS[name]
    if nesterov is None:
        return {
            "momentum": momentum,
            "nesterov": bool(estimator.nesterovs_momentum) and momentum > 0.0,
        }
    if momentum == 0.0:
        message = (
            f"{who}(optimizer={name!r}, momentum={estimator.momentum!r}): without momentum "
            "nothing is left of it. Give a momentum above 0, or take optimizer='sgd'."
        )
        raise ValueError(message)
    if nesterov and not estimator.nesterovs_momentum:
        message = (
            f"{who}(optimizer='nesterov', nesterovs_momentum={estimator.nesterovs_momentum!r}): "
            "the two contradict each other. Take optimizer='momentum', or leave "
            "nesterovs_momentum out."
        )
        raise ValueError(message)
    return {"momentum": momentum, "nesterov": nesterov}


def _refuse_beside_an_optimizer(estimator: Any) -> None:
    without_effect = changed_parameters(estimator, _BROUGHT)
    if estimator.learning_rate == "invscaling":
        without_effect["learning_rate"] = estimator.learning_rate
    if without_effect:
        told = ", ".join(f"{name}={value!r}" for name, value in without_effect.items())
        message = (
            f"{name_of(estimator)}(optimizer={estimator.optimizer!r}, {told}): the optimizer "
            f"brings its own learning rate and numbers, so that {', '.join(without_effect)} would "
            "have no effect. Set them where the optimizer is made, or leave them out."
        )
        raise ValueError(message)


def _refuse_beside_a_schedule(estimator: Any) -> None:
    schedule = estimator.schedule
    if schedule is None:
        return
    without_effect = changed_parameters(estimator, ("learning_rate", "power_t"))
    if not isinstance(schedule, str):
        without_effect |= changed_parameters(estimator, ("learning_rate_init",))
    if without_effect:
        told = ", ".join(f"{name}={value!r}" for name, value in without_effect.items())
        message = (
            f"{name_of(estimator)}(schedule={schedule!r}, {told}): the schedule says all learning "
            f"rates, in place of {', '.join(without_effect)}. Leave one of them out."
        )
        raise ValueError(message)
