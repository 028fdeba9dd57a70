"""RMSProp: steps divided by the root of a moving average of squared gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...backends import Array, Namespace
from ..options import check_choice, check_learning_rate, check_number
from ..schedules import Schedule
from .rule import Optimizer, Rule


def rmsprop_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    square_average: Array,
    learning_rate: Any,
    weight_decay: Any,
    beta2: Any,
    gain2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """-learning_rate * g / sqrt(average of g**2), with epsilon in the root or beside it."""
    g = gradient + weight_decay * parameter
    square_average = beta2 * square_average + gain2 * (g * g)
    root = xp.sqrt(square_average + epsilon_inside) + epsilon_outside
    return -learning_rate * g / root, square_average


def rmsprop_momentum_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    square_average: Array,
    velocity: Array,
    learning_rate: Any,
    weight_decay: Any,
    beta2: Any,
    gain2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
    momentum: Any,
) -> tuple[Array, ...]:
    """As `rmsprop_rule`, with the divided gradients accumulated in a velocity."""
    g = gradient + weight_decay * parameter
    square_average = beta2 * square_average + gain2 * (g * g)
    root = xp.sqrt(square_average + epsilon_inside) + epsilon_outside
    velocity = momentum * velocity + g / root
    return -learning_rate * velocity, square_average, velocity


def centered_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    square_average: Array,
    average: Array,
    learning_rate: Any,
    weight_decay: Any,
    beta2: Any,
    gain2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """As `rmsprop_rule`, with the variance of g in place of its mean square."""
    g = gradient + weight_decay * parameter
    square_average = beta2 * square_average + gain2 * (g * g)
    average = beta2 * average + gain2 * g
    variance = square_average - average * average
    # Rounding can leave less than nothing of a constant gradient. NaN passes.
    variance = xp.where(variance < 0.0, 0.0, variance)
    root = xp.sqrt(variance + epsilon_inside) + epsilon_outside
    return -learning_rate * g / root, square_average, average


def centered_momentum_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    square_average: Array,
    average: Array,
    velocity: Array,
    learning_rate: Any,
    weight_decay: Any,
    beta2: Any,
    gain2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
    momentum: Any,
) -> tuple[Array, ...]:
    """As `centered_rule`, with the divided gradients accumulated in a velocity."""
    g = gradient + weight_decay * parameter
    square_average = beta2 * square_average + gain2 * (g * g)
    average = beta2 * average + gain2 * g
    variance = square_average - average * average
    variance = xp.where(variance < 0.0, 0.0, variance)
    root = xp.sqrt(variance + epsilon_inside) + epsilon_outside
    velocity = momentum * velocity + g / root
    return -learning_rate * velocity, square_average, average, velocity


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp: each coordinate is divided by the size that its gradients have had of late.

    With g = gradient + weight_decay * parameter, and all averages 0 before the first step:

    square_average = beta2 * square_average + (1 - beta2) * g**2
    parameter -= learning_rate * g / (sqrt(square_average) + epsilon)

    centered: average = beta2 * average + (1 - beta2) * g, and square_average - average**2 in the
    place of square_average. With momentum, and root the divisor above:

    velocity = momentum * velocity + g / root
    parameter -= learning_rate * velocity

    Parameters
    ----------
    learning_rate : float or schedule
    beta2 : float in [0, 1)
        PyTorch's `alpha`. Tieleman and Hinton took 0.9.
    epsilon : float >= 0
        Beside the root.
    epsilon_inside_root : bool
        sqrt(square_average + epsilon) instead.
    momentum : float in [0, 1)
    centered : bool
    weight_decay : float >= 0
        As in `SGD`.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range.

    References
    ----------
    Tieleman and Hinton 2012, Lecture 6.5 (rmsprop), COURSERA: Neural networks for machine learning.
    Graves 2013, Generating sequences with recurrent neural networks, equations 38 to 41 (centered,
    with momentum; his epsilon is inside the root).

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.optimizers import RMSProp
    >>> params = np.array([1.0, 1.0])
    >>> optimizer = RMSProp(learning_rate=0.1, beta2=0.75)
    >>> updates, state = optimizer.update(np.array([3.0, 300.0]), optimizer.init(params), params)
    >>> updates.round(6).tolist()  # 0.1 / sqrt(1 - beta2): there is no bias correction
    [-0.2, -0.2]
    """

    learning_rate: float | Schedule = 1e-2
    beta2: float = 0.99
    epsilon: float = 1e-8
    epsilon_inside_root: bool = False
    momentum: float = 0.0
    centered: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_learning_rate(self)
        check_number(self, "beta2", low=0.0, high=1.0, open_high=True)
        check_number(self, "epsilon", low=0.0)
        check_choice(self, "epsilon_inside_root", (False, True))
        check_number(self, "momentum", low=0.0, high=1.0, open_high=True)
        check_choice(self, "centered", (False, True))
        check_number(self, "weight_decay", low=0.0)

    @property
    def rule(self) -> Rule:
        """One for each set of slots."""
        if self.centered:
            return centered_momentum_rule if self.momentum else centered_rule
        return rmsprop_momentum_rule if self.momentum else rmsprop_rule

    @property
    def initial_slots(self) -> tuple[float, ...]:
        """square_average[, average][, velocity]."""
        return (0.0,) * (1 + self.centered + (self.momentum > 0.0))

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """(learning_rate, weight_decay, beta2, 1 - beta2, epsilon twice[, momentum])."""
        inside, outside = 0.0, self.epsilon
        if self.epsilon_inside_root:
            inside, outside = outside, inside
        # 1 - beta2 is formed here: in float32 it would keep four digits.
        common = (learning_rate, self.weight_decay, self.beta2, 1.0 - self.beta2, outside, inside)
        return (*common, self.momentum) if self.momentum else common

    def reach(self, step: Any, learning_rate: Any) -> Any:
        """learning_rate / (1 - momentum)."""
        return learning_rate / (1.0 - self.momentum)
