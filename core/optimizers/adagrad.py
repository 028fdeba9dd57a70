"""AdaGrad: steps divided by the root of all squared gradients so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...backends import Array, Namespace
from ..options import check_choice, check_learning_rate, check_number
from ..schedules import Schedule
from .rule import Optimizer, Rule


def adagrad_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    square_sum: Array,
    learning_rate: Any,
    weight_decay: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """square_sum += g**2; -learning_rate * g / sqrt(square_sum), with epsilon in or beside it."""
    g = gradient + weight_decay * parameter
    square_sum = square_sum + g * g
    root = xp.sqrt(square_sum + epsilon_inside) + epsilon_outside
    return -learning_rate * g / root, square_sum


@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad: coordinates that have moved much move less.

    With g = gradient + weight_decay * parameter:

    square_sum = square_sum + g**2
    parameter -= learning_rate * g / (sqrt(square_sum) + epsilon)

    or, with `epsilon_inside_root`, learning_rate * g / sqrt(square_sum + epsilon).

    Parameters
    ----------
    learning_rate : float or schedule
        PyTorch's `lr_decay` is the schedule `InverseTime(learning_rate, decay=lr_decay)`.
    epsilon : float >= 0
        0 divides 0 by 0 where no gradient has come yet.
    epsilon_inside_root : bool
    initial_accumulator : float >= 0
        `square_sum` before the first step.
    weight_decay : float >= 0
        As in `SGD`.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range.

    References
    ----------
    Duchi, Hazan and Singer 2011, Adaptive subgradient methods for online learning and stochastic
    optimization, Figure 1, with diagonal matrices and without the proximal term; its delta is the
    epsilon outside the root.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.optimizers import AdaGrad
    >>> params = np.array([1.0, 1.0])
    >>> optimizer = AdaGrad(learning_rate=0.1)
    >>> updates, state = optimizer.update(np.array([3.0, 300.0]), optimizer.init(params), params)
    >>> updates.round(6).tolist()  # the first step has the same length everywhere
    [-0.1, -0.1]
    """

    learning_rate: float | Schedule = 1e-2
    epsilon: float = 1e-10
    epsilon_inside_root: bool = False
    initial_accumulator: float = 0.0
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_learning_rate(self)
        check_number(self, "epsilon", low=0.0)
        check_choice(self, "epsilon_inside_root", (False, True))
        check_number(self, "initial_accumulator", low=0.0)
        check_number(self, "weight_decay", low=0.0)

    @property
    def rule(self) -> Rule:
        """One rule: an epsilon of 0 adds nothing."""
        return adagrad_rule

    @property
    def initial_slots(self) -> tuple[float, ...]:
        """The sum of squared gradients."""
        return (self.initial_accumulator,)

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """(learning_rate, weight_decay, epsilon_outside, epsilon_inside)."""
        inside, outside = 0.0, self.epsilon
        if self.epsilon_inside_root:
            inside, outside = outside, inside
        return (learning_rate, self.weight_decay, outside, inside)
