"""Adam and AdamW: moving averages of the gradient and of its square, corrected for their start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...backends import Array, Namespace
from ..options import check_choice, check_learning_rate, check_number
from ..schedules import Schedule
from .rule import Optimizer, Rule


def adam_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    average: Array,
    square_average: Array,
    step_size: Any,
    weight_decay: Any,
    beta1: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    correction2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """-step_size * average of g / sqrt(correction2 * average of g**2)."""
    g = gradient + weight_decay * parameter
    average = beta1 * average + gain1 * g
    square_average = beta2 * square_average + gain2 * (g * g)
    root = xp.sqrt(correction2 * square_average + epsilon_inside) + epsilon_outside
    return -step_size * average / root, average, square_average


def amsgrad_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    average: Array,
    square_average: Array,
    largest: Array,
    step_size: Any,
    weight_decay: Any,
    beta1: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    correction2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """As `adam_rule`, with the largest average of g**2 so far in the root."""
    g = gradient + weight_decay * parameter
    average = beta1 * average + gain1 * g
    square_average = beta2 * square_average + gain2 * (g * g)
    largest = xp.maximum(largest, square_average)
    root = xp.sqrt(correction2 * largest + epsilon_inside) + epsilon_outside
    return -step_size * average / root, average, square_average, largest


def adamw_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    average: Array,
    square_average: Array,
    step_size: Any,
    shrinkage: Any,
    beta1: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    correction2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """As `adam_rule` without decay, and -shrinkage * parameter beside it."""
    average = beta1 * average + gain1 * gradient
    square_average = beta2 * square_average + gain2 * (gradient * gradient)
    root = xp.sqrt(correction2 * square_average + epsilon_inside) + epsilon_outside
    return -step_size * average / root - shrinkage * parameter, average, square_average


def amsgradw_rule(
    xp: Namespace,
    gradient: Array,
    parameter: Array,
    average: Array,
    square_average: Array,
    largest: Array,
    step_size: Any,
    shrinkage: Any,
    beta1: Any,
    gain1: Any,
    beta2: Any,
    gain2: Any,
    correction2: Any,
    epsilon_outside: Any,
    epsilon_inside: Any,
) -> tuple[Array, ...]:
    """As `amsgrad_rule` without decay, and -shrinkage * parameter beside it."""
    average = beta1 * average + gain1 * gradient
    square_average = beta2 * square_average + gain2 * (gradient * gradient)
    largest = xp.maximum(largest, square_average)
    root = xp.sqrt(correction2 * largest + epsilon_inside) + epsilon_outside
    update = -step_size * average / root - shrinkage * parameter
    return update, average, square_average, largest


@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: momentum as a moving average, divided by the root of the mean square.

    With g = gradient + weight_decay * parameter, t = 1 at the first step, and both averages 0
    before it:

    average = beta1 * average + (1 - beta1) * g
    square_average = beta2 * square_average + (1 - beta2) * g**2
    corrected = average / (1 - beta1**t)
    corrected_square = square_average / (1 - beta2**t)
    parameter -= learning_rate * corrected / (sqrt(corrected_square) + epsilon)

    or, with `epsilon_inside_root`, learning_rate * corrected / sqrt(corrected_square + epsilon).
    The corrections are numbers, so they are merged into the step and into the root.

    Parameters
    ----------
    learning_rate : float or schedule
    beta1, beta2 : float in [0, 1)
    epsilon : float >= 0
        Beside the root, after the correction: not the paper's "epsilon hat".
    epsilon_inside_root : bool
    weight_decay : float >= 0
        As in `SGD`: through g, so both averages see it. `AdamW` keeps it out of them.
    amsgrad : bool
        The largest `square_average` so far takes its place in the root.

    Raises
    ------
    ValueError, TypeError
        For an option out of its range.

    References
    ----------
    Kingma and Ba 2015, Adam: a method for stochastic optimization, Algorithm 1. Reddi, Kale and
    Kumar 2018, On the convergence of Adam and beyond, Algorithm 2 (with Adam's corrections).

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.optimizers import Adam
    >>> params = {"W": np.ones((2, 2)), "b": np.zeros(2)}
    >>> optimizer = Adam(learning_rate=0.1)
    >>> updates, state = optimizer.update(params, optimizer.init(params), params)
    >>> updates["W"].round(6).tolist()
    [[-0.1, -0.1], [-0.1, -0.1]]
    >>> state.step, len(state.slots)
    (1, 2)
    """

    learning_rate: float | Schedule = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    epsilon_inside_root: bool = False
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        check_learning_rate(self)
        check_number(self, "beta1", low=0.0, high=1.0, open_high=True)
        check_number(self, "beta2", low=0.0, high=1.0, open_high=True)
        check_number(self, "epsilon", low=0.0)
        check_choice(self, "epsilon_inside_root", (False, True))
        check_number(self, "weight_decay", low=0.0)
        check_choice(self, "amsgrad", (False, True))

    @property
    def rule(self) -> Rule:
        """One for each set of slots."""
        return amsgrad_rule if self.amsgrad else adam_rule

    @property
    def initial_slots(self) -> tuple[float, ...]:
        """average, square_average[, the largest of it]."""
        return (0.0,) * (3 if self.amsgrad else 2)

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """(step_size, weight_decay, beta and 1 - beta twice, correction2, epsilon twice)."""
        return self._scalars(step, learning_rate, self.weight_decay)

    def _scalars(self, step: Any, learning_rate: Any, decay: Any) -> tuple[Any, ...]:
        inside, outside = 0.0, self.epsilon
        if self.epsilon_inside_root:
            inside, outside = outside, inside
        # 1 - beta is formed here: in float32 it would keep four digits.
        return (
            learning_rate / (1.0 - self.beta1**step), decay,
            self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2,
            1.0 / (1.0 - self.beta2**step), outside, inside,
        )  # fmt: skip


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with weight decay beside the step instead of in the gradient.

    The averages are Adam's, of the gradient alone; then

    parameter -= learning_rate * (corrected / (sqrt(corrected_square) + epsilon)
                                  + weight_decay * parameter)

    Parameters
    ----------
    learning_rate : float or schedule
        Multiplies the decay too, as in PyTorch; in the paper only its schedule does, so the paper's
        lambda is learning_rate * weight_decay here.
    beta1, beta2, epsilon, epsilon_inside_root, amsgrad
        As in `Adam`.
    weight_decay : float >= 0

    Raises
    ------
    ValueError, TypeError
        For an option out of its range.

    References
    ----------
    Loshchilov and Hutter 2019, Decoupled weight decay regularization, Algorithm 2.

    Examples
    --------
    >>> import numpy as np
    >>> from xpfit.core.optimizers import AdamW
    >>> params = np.array([2.0])
    >>> optimizer = AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> updates, _ = optimizer.update(np.array([0.0]), optimizer.init(params), params)
    >>> updates.tolist()  # no gradient: the decay alone
    [-0.1]
    """

    weight_decay: float = 0.01

    @property
    def rule(self) -> Rule:
        """One for each set of slots."""
        return amsgradw_rule if self.amsgrad else adamw_rule

    def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
        """As Adam's, with learning_rate * weight_decay in the place of weight_decay."""
        return self._scalars(step, learning_rate, learning_rate * self.weight_decay)
