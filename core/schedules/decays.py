"""Schedules that only fall: constant, inverse time, exponential, scikit-learn's two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..options import check_integer, check_number
from .base import BaseSchedule, check_start


@dataclass(frozen=True)
class Constant(BaseSchedule):
    """learning_rate at every step.

    Examples
    --------
    >>> Constant(0.1)(1000)
    0.1
    """

    learning_rate: float

    def __post_init__(self) -> None:
        check_start(self)

    def formula(self, xp: Any, step: Any) -> Any:
        """learning_rate."""
        return self.learning_rate


@dataclass(frozen=True)
class InverseTime(BaseSchedule):
    """learning_rate / (1 + decay * t), t = step // every.

    Parameters
    ----------
    learning_rate : float > 0
        At the first step.
    decay : float >= 0
    every : int >= 1
        Steps after which t grows by 1; the number of batches makes t the epoch.

    References
    ----------
    Robbins and Monro 1951, A stochastic approximation method. PyTorch: `lr_decay` of Adagrad.

    Examples
    --------
    >>> InverseTime(1.0, decay=0.5)(2)
    0.5
    """

    learning_rate: float
    decay: float
    every: int = 1

    def __post_init__(self) -> None:
        check_start(self)
        check_number(self, "decay", low=0.0)
        check_integer(self, "every", low=1)

    def formula(self, xp: Any, step: Any) -> Any:
        """learning_rate / (1 + decay * t)."""
        return self.learning_rate / (1.0 + self.decay * xp.number(step // self.every))


@dataclass(frozen=True)
class Exponential(BaseSchedule):
    """learning_rate * exp(-decay * t), t = step // every.

    PyTorch's `ExponentialLR(gamma)` has decay = -log(gamma).

    Parameters
    ----------
    learning_rate : float > 0
        At the first step.
    decay : float >= 0
    every : int >= 1
        Steps after which t grows by 1; the number of batches makes t the epoch.

    Examples
    --------
    >>> round(Exponential(1.0, decay=0.1)(10), 6)
    0.367879
    """

    learning_rate: float
    decay: float
    every: int = 1

    def __post_init__(self) -> None:
        check_start(self)
        check_number(self, "decay", low=0.0)
        check_integer(self, "every", low=1)

    def formula(self, xp: Any, step: Any) -> Any:
        """learning_rate * exp(-decay * t)."""
        return self.learning_rate * xp.exp(-self.decay * xp.number(step // self.every))


@dataclass(frozen=True)
class InverseScaling(BaseSchedule):
    """learning_rate / (step + 1)**power: scikit-learn's "invscaling", `eta0` and `power_t`.

    Parameters
    ----------
    learning_rate : float > 0
        At the first step.
    power : float >= 0

    Examples
    --------
    >>> InverseScaling(1.0, power=0.5)(3)
    0.5
    """

    learning_rate: float
    power: float = 0.25

    def __post_init__(self) -> None:
        check_start(self)
        check_number(self, "power", low=0.0)

    def formula(self, xp: Any, step: Any) -> Any:
        """learning_rate / (step + 1)**power."""
        return self.learning_rate / (xp.number(step) + 1.0) ** self.power


@dataclass(frozen=True)
class Optimal(BaseSchedule):
    """1 / (l2_reg_strength * step + slope * l2_reg_strength**0.25): scikit-learn's "optimal".

    The cost of a penalized model curves by at least `l2_reg_strength`, which is what the rate
    1 / (l2_reg_strength * step) is made for. The second term keeps the first steps short: they have
    the length that coefficients typically have, l2_reg_strength**-0.25.

    Parameters
    ----------
    l2_reg_strength : float > 0
        scikit-learn's `alpha`.
    slope : float >= 1
        Of the loss at a raw prediction that is wrong by that length: 1 for the logistic loss.

    References
    ----------
    Bottou 2012, Stochastic gradient descent tricks, section 5.2, for the form.

    Examples
    --------
    >>> Optimal(l2_reg_strength=0.0001)(0)
    10.0
    """

    l2_reg_strength: float
    slope: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "l2_reg_strength", low=0.0, open_low=True)
        check_number(self, "slope", low=1.0)

    def formula(self, xp: Any, step: Any) -> Any:
        """1 / (l2_reg_strength * step + slope * l2_reg_strength**0.25)."""
        start = self.slope * self.l2_reg_strength**0.25
        return 1.0 / (self.l2_reg_strength * xp.number(step) + start)
