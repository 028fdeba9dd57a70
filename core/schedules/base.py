"""What a schedule is, and how one formula serves Python numbers, arrays and traced steps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace

from ...backends import Namespace
from ..options import check_number

# The learning rate as a function of the number of steps already taken: 0 for the first step.
Schedule: TypeAlias = Callable[[Any], Any]


class _PythonNumbers:
    """The functions of a namespace that schedules use, for one Python number."""

    pi = math.pi
    exp = staticmethod(math.exp)
    cos = staticmethod(math.cos)

    @staticmethod
    def where(test: bool, if_true: Any, if_false: Any) -> Any:
        return if_true if test else if_false

    @staticmethod
    def number(step: int) -> float:
        return float(step)


class _Arrays:
    """The same for the arrays of a namespace."""

    pi = math.pi

    def __init__(self, xp: Namespace) -> None:
        self.exp, self.cos, self.where = xp.exp, xp.cos, xp.where
        self._xp = xp

    def number(self, step: Any) -> Any:
        # The library's default float: float64 but for JAX in its 32-bit mode.
        return self._xp.astype(step, self._xp.asarray(0.0).dtype)


PYTHON_NUMBERS = _PythonNumbers()


class BaseSchedule(ABC):
    """A formula of the step. A subclass is a frozen dataclass with the method `formula`.

    Notes
    -----
    Where a step is divided into periods this is done on integers, so that a restart is never off by
    one step, whatever the precision of the floats.
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of the step that comes after `step` steps.

        Parameters
        ----------
        step : int, or integer array
            An array, traced by JAX or not, of any shape.

        Returns
        -------
        float, or floating array of the shape of step
        """
        if isinstance(step, int | np.integer):
            if step < 0:
                message = f"{type(self).__name__} was asked for step {step}: steps start at 0."
                raise ValueError(message)
            return float(self.formula(PYTHON_NUMBERS, int(step)))
        xp = _Arrays(array_namespace(step))
        # Formulas without the step give one number for all steps.
        return self.formula(xp, step) + 0.0 * xp.number(step)

    @abstractmethod
    def formula(self, xp: Any, step: Any) -> Any:
        """The value at `step`, by `xp.where`, `xp.exp`, `xp.cos`, `xp.number` and arithmetic.

        `xp.number(step)` is the integer as a float; both branches of `xp.where` are evaluated.
        """


def check_start(owner: object) -> None:
    """Raise unless the learning rate of a schedule is a number > 0."""
    check_number(owner, "learning_rate", low=0.0, open_low=True)
