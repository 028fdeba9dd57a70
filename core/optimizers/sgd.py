"""Gradient descent: plain, with momentum, and with Nesterov's momentum in two forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ...backends import Array, Namespace
from ..options import check_choice, check_learning_rate, check_number
from ..schedules import Schedule
from .rule import Optimizer, Rule, State
from .tree import Tree, tree_map


def descent_rule(
    xp: Namespace, gradient: Array, parameter: Array, learning_rate: Any
) -> tuple[Array, ...]:
    """-learning_rate * gradient."""
    return (-learning_rate * gradient,)


def decayed_descent_rule(
    xp: Namespace, gradient: Array, parameter: Array, learning_rate: Any, weight_decay: Any
) -> tuple[Array, ...]:
    """-learning_rate * (gradient + weight_decay * parameter)."""
    return (-learning_rate * (gradient + weight_decay * parameter),)


def momentum_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    velocity: Array,
    learning_rate: Any,
    weight_decay: Any,
    momentum: Any,
    gain: Any,
) -> tuple[Array, ...]:
    """velocity = momentum * velocity + gain * g; -learning_rate * velocity."""
    g = gradient + weight_decay * parameter
    velocity = momentum * velocity + gain * g
    return -learning_rate * velocity, velocity


def nesterov_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    velocity: Array,
    learning_rate: Any,
    weight_decay: Any,
    momentum: Any,
    gain: Any,
) -> tuple[Array, ...]:
    """As `momentum_rule`, but the step is what the next velocity would be of the same g."""
    g = gradient + weight_decay * parameter
    velocity = momentum * velocity + gain * g
    return -learning_rate * (momentum * velocity + gain * g), velocity


def lookahead_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    velocity: Array,
    learning_rate: Any,
    weight_decay: Any,
    momentum: Any,
    gain: Any,
) -> tuple[Array, ...]:
    """velocity = momentum * velocity - learning_rate * gain * g, which is the step too.

    The gradient is that at parameter + momentum * velocity; so is the weight decay.
    """
    coasting = momentum * velocity
    g = gradient + weight_decay * (parameter + coasting)
    velocity = coasting - learning_rate * gain * g
    return velocity, velocity


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    With g = gradient + weight_decay * parameter, and velocity = 0 before the first step:

    plain           parameter -= learning_rate * g
    accumulated     velocity = momentum * velocity + (1 - dampening) * g
                    parameter -= learning_rate * velocity
    average         velocity = momentum * velocity + (1 - momentum) * g
                    parameter -= learning_rate * velocity
    nesterov        velocity as above, gain its factor of g
                    parameter -= learning_rate * (momentum * velocity + gain * g)
    "lookahead"     g at parameter + momentum * velocity
                    velocity = momentum * velocity - learning_rate * gain * g
                    parameter += velocity

    At the first step of the accumulated form the factor of g is 1, whatever the dampening, as in
    PyTorch. With a constant learning rate the accumulated form takes the same steps as
    velocity = momentum * velocity + learning_rate * g, parameter -= velocity; and the average form
    those of the accumulated one with a learning rate of (1 - momentum) * learning_rate.

    `nesterov=True` is the rearranged form: its parameters are the look-ahead points of the
    textbook's form, so the gradient is taken where the parameters are.

    Parameters
    ----------
    learning_rate : float or schedule
    momentum : float in [0, 1)
    nesterov : bool or "lookahead"
        "lookahead": take the gradient at `lookahead(params, state)`. Here the velocity is a step,
        so it holds the learning rates of past steps; above, only the newest learning rate counts.
    momentum_form : "accumulated" or "average"
    dampening : float in [0, 1]
        Only for momentum in the accumulated form without Nesterov.
    weight_decay : float >= 0
        Adds 0.5 * weight_decay * parameter**2 to the cost, of every parameter, intercepts too.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range, and for options that contradict each other.

    References
    ----------
    Polyak 1964, Some methods of speeding up the convergence of iteration methods (momentum).
    Nesterov 1983, A method for solving the convex programming problem with convergence rate
    O(1/k^2). Sutskever, Martens, Dahl and Hinton 2013, On the importance of initialization and
    momentum in deep learning, equations 1 to 4 (the look-ahead form).

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.optimizers import SGD, apply_updates
    >>> params = {"w": np.array([4.0, -2.0])}
    >>> optimizer = SGD(learning_rate=0.25, momentum=0.5)
    >>> state = optimizer.init(params)
    >>> for _ in range(2):
    ...     grads = {"w": params["w"]}  # of the cost 0.5 * sum(w**2)
    ...     updates, state = optimizer.update(grads, state, params)
    ...     params = apply_updates(params, updates)
    >>> params["w"].tolist()
    [1.75, -0.875]
    """

    learning_rate: float | Schedule = 1e-3
    momentum: float = 0.0
    nesterov: bool | Literal["lookahead"] = False
    momentum_form: Literal["accumulated", "average"] = "accumulated"
    dampening: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_learning_rate(self)
        check_number(self, "momentum", low=0.0, high=1.0, open_high=True)
        check_choice(self, "nesterov", (False, True, "lookahead"))
        check_choice(self, "momentum_form", ("accumulated", "average"))
        check_number(self, "dampening", low=0.0, high=1.0)
        check_number(self, "weight_decay", low=0.0)
        if self.momentum == 0.0 and (self.nesterov or self.dampening):
            self._refuse("nesterov and dampening need a momentum > 0")
        if self.dampening and (self.nesterov or self.momentum_form == "average"):
            self._refuse("dampening belongs to accumulated momentum without nesterov")

    def _refuse(self, why: str) -> None:
        message = (
            f"SGD(momentum={self.momentum!r}, nesterov={self.nesterov!r}, "
            f"momentum_form={self.momentum_form!r}, dampening={self.dampening!r}): {why}."
        )
        raise ValueError(message)

    @property
    def rule(self) -> Rule:
        """Without momentum there is nothing to remember, and without decay nothing to read."""
        if self.momentum == 0.0:
            return decayed_descent_rule if self.weight_decay else descent_rule
        if self.nesterov == "lookahead":
            return lookahead_rule
        return nesterov_rule if self.nesterov else momentum_rule

    @property
    def initial_slots(self) -> tuple[float, ...]:
        """The velocity, if there is momentum."""
        return (0.0,) if self.momentum else ()

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """(learning_rate[, weight_decay][, momentum, gain])."""
        if self.momentum == 0.0:
            return (learning_rate, self.weight_decay) if self.weight_decay else (learning_rate,)
        if self.momentum_form == "average":
            gain = 1.0 - self.momentum
        else:
            # True counts as 1, traced or not.
            gain = 1.0 - self.dampening * (step > 1) if self.dampening else 1.0
        return (learning_rate, self.weight_decay, self.momentum, gain)

    @property
    def ahead(self) -> float:
        """The momentum, where it looks ahead."""
        return float(self.momentum) if self.nesterov == "lookahead" else 0.0

    @property
    def plain_decay(self) -> float | None:
        """The weight decay, without momentum."""
        plain = self.rule in (descent_rule, decayed_descent_rule)
        return float(self.weight_decay) if plain else None

    def reach(self, step: Any, learning_rate: Any) -> Any:
        """learning_rate * gain / (1 - momentum): the sum of what one gradient moves."""
        if self.momentum == 0.0:
            return learning_rate
        return learning_rate * self.scalars(step, learning_rate)[-1] / (1.0 - self.momentum)

    def lookahead(self, params: Tree, state: State) -> Tree:
        """Where the gradient must be taken: params + momentum * velocity, or params.

        Parameters
        ----------
        params : tree of arrays
        state : State

        Returns
        -------
        tree like params
            For `nesterov="lookahead"` new arrays; else params themselves.
        """
        if not self.ahead:
            return params
        self._check_slots(state)
        return tree_map(lambda p, v: p + self.ahead * v, params, state.slots[0])
