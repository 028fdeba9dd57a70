"""Averages of the parameters over the steps: smoother than the last ones, at no gradient's cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from array_api_compat import array_namespace

from ...backends import Array
from ..options import check_integer, check_number
from .rule import number_for
from .tree import Tree, aligned, tree_map, unflatten


class AverageState(NamedTuple):
    """An average, and of how many steps."""

    step: Any  # steps seen so far: int; shape=(), integer, where it is traced
    average: Tree  # like params: same containers, shapes and dtypes


def _begin(params: Tree) -> AverageState:
    # Not params themselves: whoever changes those in place would change the average with them.
    return AverageState(0, tree_map(lambda p: array_namespace(p).zeros_like(p), params))


def _mix(state: AverageState, step: Any, params: Tree, keep: Any, gain: Any) -> AverageState:
    mixed = []
    for _, (p, old) in aligned(("params", "state.average"), (params, state.average)):
        xp = array_namespace(p, old)
        keep_here, gain_here = (number_for(xp, number, p.dtype) for number in (keep, gain))
        mixed.append(_weighted(old, p, keep_here, gain_here))
    return AverageState(step, unflatten(params, mixed))


def _weighted(average: Array, parameter: Array, keep: Any, gain: Any) -> Array:
    return keep * average + gain * parameter


@dataclass(frozen=True)
class PolyakAverage:
    """The mean of the parameters after step `start`, `start` + 1, ...; before, the parameters.

    average = average + (params - average) / (step - start + 1)    for step >= start

    Parameters
    ----------
    start : int >= 1
        1: after the first step. It has the meaning of scikit-learn's `average`.

    References
    ----------
    Polyak and Juditsky 1992, Acceleration of stochastic approximation by averaging; Ruppert 1988.

    Examples
    --------
    >>> import numpy as np
    >>> mean = PolyakAverage()
    >>> state = mean.init(np.array([0.0]))
    >>> for value in (1.0, 2.0, 6.0):
    ...     state = mean.update(np.array([value]), state)
    >>> state.average.tolist()
    [3.0]
    """

    start: int = 1

    def __post_init__(self) -> None:
        check_integer(self, "start", low=1)

    def init(self, params: Tree) -> AverageState:
        """Before the first step; the average is 0 and not yet of use."""
        return _begin(params)

    def update(self, params: Tree, state: AverageState) -> AverageState:
        """The average with the parameters after one more step.

        Raises
        ------
        ValueError
            Where `params` and `state.average` do not fit.
        """
        step = state.step + 1
        # No branch, since the step may be traced: 1 until `start`, then 2, 3, ...
        count = 1 + (step - self.start) * (step > self.start)
        return _mix(state, step, params, (count - 1) / count, 1 / count)


@dataclass(frozen=True)
class ExponentialAverage:
    """A moving average of the parameters; the first step's parameters begin it.

    average = decay * average + (1 - decay) * params

    Parameters
    ----------
    decay : float in [0, 1)
        The average reaches back over some 1 / (1 - decay) steps.

    References
    ----------
    PyTorch: `AveragedModel` with `get_ema_multi_avg_fn(decay)`.

    Examples
    --------
    >>> import numpy as np
    >>> moving = ExponentialAverage(decay=0.5)
    >>> state = moving.init(np.array([0.0]))
    >>> for value in (4.0, 8.0):
    ...     state = moving.update(np.array([value]), state)
    >>> state.average.tolist()
    [6.0]
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_number(self, "decay", low=0.0, high=1.0, open_high=True)

    def init(self, params: Tree) -> AverageState:
        """Before the first step; the average is 0 and not yet of use."""
        return _begin(params)

    def update(self, params: Tree, state: AverageState) -> AverageState:
        """The average with the parameters after one more step.

        Raises
        ------
        ValueError
            Where `params` and `state.average` do not fit.
        """
        step = state.step + 1
        keep = self.decay * (step > 1)
        return _mix(state, step, params, keep, 1.0 - keep)
