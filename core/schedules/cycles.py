"""Schedules that rise again, or rise first: halving with restarts, cosine, one cycle, warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..options import check_choice, check_integer, check_number
from .base import BaseSchedule, Schedule, check_start
from .decays import Constant

# Later restarts of a growing period are not counted: no run is as long.
MOST_STEPS = 1 << 31


@dataclass(frozen=True)
class StepHalving(BaseSchedule):
    """learning_rate * factor**(steps of the period // every) * restart_factor**(period).

    Parameters
    ----------
    learning_rate : float > 0
        At the first step.
    every : int >= 1
        Steps between two halvings.
    factor : float in (0, 1]
    period : int >= 1 or None
        Steps after which it starts again; None: never. PyTorch's `StepLR` then.
    restart_factor : float in (0, 1]
        0.5: each period starts at half of what the one before started at.

    Examples
    --------
    >>> halving = StepHalving(1.0, every=2, period=6, restart_factor=0.5)
    >>> [halving(step) for step in range(0, 14, 2)]
    [1.0, 0.5, 0.25, 0.5, 0.25, 0.125, 0.25]
    """

    learning_rate: float
    every: int
    factor: float = 0.5
    period: int | None = None
    restart_factor: float = 1.0

    def __post_init__(self) -> None:
        check_start(self)
        check_integer(self, "every", low=1)
        check_number(self, "factor", low=0.0, high=1.0, open_low=True)
        check_number(self, "restart_factor", low=0.0, high=1.0, open_low=True)
        if self.period is not None:
            check_integer(self, "period", low=1)
        elif self.restart_factor != 1.0:
            message = (
                f"StepHalving(restart_factor={self.restart_factor!r}, period=None): without a "
                "period nothing restarts. Give period, the number of steps between two restarts."
            )
            raise ValueError(message)

    def formula(self, xp: Any, step: Any) -> Any:
        """learning_rate * factor**halvings * restart_factor**restarts."""
        if self.period is None:
            return self.learning_rate * self.factor ** xp.number(step // self.every)
        restarts = step // self.period
        halvings = (step - restarts * self.period) // self.every
        height = self.learning_rate * self.restart_factor ** xp.number(restarts)
        return height * self.factor ** xp.number(halvings)


@dataclass(frozen=True)
class Cosine(BaseSchedule):
    """From learning_rate down to minimum along half a cosine, then from the top again.

    minimum + 0.5 * (learning_rate - minimum) * (1 + cos(pi * t / length))

    with t the steps since the last restart, and length that of the period, `period` at first and
    `period_factor` times longer after each restart.

    Parameters
    ----------
    learning_rate : float > 0
    period : int >= 1
        PyTorch's `T_0`.
    period_factor : int >= 1
        PyTorch's `T_mult`.
    minimum : float in [0, learning_rate]
        PyTorch's `eta_min`.
    restarts : bool
        False: stay at the minimum after the first period.

    References
    ----------
    Loshchilov and Hutter 2017, SGDR: stochastic gradient descent with warm restarts, equation 5.

    Examples
    --------
    >>> cosine = Cosine(1.0, period=2, period_factor=2)
    >>> [round(cosine(step), 4) for step in range(7)]
    [1.0, 0.5, 1.0, 0.8536, 0.5, 0.1464, 1.0]
    """

    learning_rate: float
    period: int
    period_factor: int = 1
    minimum: float = 0.0
    restarts: bool = True

    def __post_init__(self) -> None:
        check_start(self)
        check_integer(self, "period", low=1)
        check_integer(self, "period_factor", low=1)
        check_number(self, "minimum", low=0.0, high=self.learning_rate)
        check_choice(self, "restarts", (True, False))

    def formula(self, xp: Any, step: Any) -> Any:
        """Half a cosine from the last restart to the next."""
        begin, length = self._period_of(xp, step)
        share = xp.number(step - begin) / xp.number(length)
        share = xp.where(share > 1.0, 1.0, share)
        height = self.learning_rate - self.minimum
        return self.minimum + 0.5 * height * (1.0 + xp.cos(xp.pi * share))

    def _period_of(self, xp: Any, step: Any) -> tuple[Any, Any]:
        nothing = 0 * step
        if not self.restarts:
            return nothing, nothing + self.period
        if self.period_factor == 1:
            return step - step % self.period, nothing + self.period
        # By comparison with each start: a logarithm may be off by one at a restart.
        begin, length = nothing, nothing + self.period
        next_begin, next_length = self.period, self.period * self.period_factor
        while next_begin < MOST_STEPS:
            reached = step >= next_begin
            begin = xp.where(reached, next_begin, begin)
            length = xp.where(reached, min(next_length, MOST_STEPS - 1), length)
            next_begin, next_length = next_begin + next_length, next_length * self.period_factor
        return begin, length


@dataclass(frozen=True)
class OneCycle(BaseSchedule):
    """Up to learning_rate and down to almost nothing, along half cosines.

    It starts at learning_rate / start_divisor, peaks at step warm_up_share * total_steps - 1, and
    ends at step total_steps - 1 at learning_rate / start_divisor / end_divisor, where it stays.
    With `three_phase` it falls as long as it rose, to where it started, and then to the end.

    Parameters
    ----------
    learning_rate : float > 0
        The largest: PyTorch's `max_lr`.
    total_steps : int >= 2
    warm_up_share : float in (0, 1)
        PyTorch's `pct_start`; warm_up_share * total_steps must exceed 1.
    start_divisor, end_divisor : float >= 1
        PyTorch's `div_factor` and `final_div_factor`.
    three_phase : bool

    References
    ----------
    Smith and Topin 2017, Super-convergence: very fast training of neural networks using large
    learning rates. The momentum that they lower meanwhile is left alone.

    Examples
    --------
    >>> cycle = OneCycle(1.0, total_steps=11, warm_up_share=6 / 11)
    >>> [round(cycle(step), 4) for step in (0, 5, 10, 1000)]
    [0.04, 1.0, 0.0, 0.0]
    """

    learning_rate: float
    total_steps: int
    warm_up_share: float = 0.3
    start_divisor: float = 25.0
    end_divisor: float = 1e4
    three_phase: bool = False

    def __post_init__(self) -> None:
        check_start(self)
        check_integer(self, "total_steps", low=2)
        check_number(self, "warm_up_share", low=0.0, high=1.0, open_low=True, open_high=True)
        check_number(self, "start_divisor", low=1.0)
        check_number(self, "end_divisor", low=1.0)
        check_choice(self, "three_phase", (True, False))
        ends = [0.0, *(end for end, _ in self._phases())]
        if any(end <= begin for begin, end in pairwise(ends)):
            message = (
                f"OneCycle(total_steps={self.total_steps}, warm_up_share={self.warm_up_share!r}, "
                f"three_phase={self.three_phase}): its phases would end at steps {ends[1:]}. Each "
                "must be longer than nothing: change warm_up_share, or take more steps."
            )
            raise ValueError(message)

    def _phases(self) -> list[tuple[float, float]]:
        """(last step, value there) of each phase."""
        start = self.learning_rate / self.start_divisor
        peak = self.warm_up_share * self.total_steps - 1.0
        end = (self.total_steps - 1.0, start / self.end_divisor)
        if self.three_phase:
            return [(peak, self.learning_rate), (2.0 * peak, start), end]
        return [(peak, self.learning_rate), end]

    def formula(self, xp: Any, step: Any) -> Any:
        """Half a cosine in each phase."""
        t = xp.number(step)
        begin, low, value = 0.0, self.learning_rate / self.start_divisor, None
        for end, high in self._phases():
            share = (t - begin) / (end - begin)
            share = xp.where(share > 1.0, 1.0, share)
            here = high + 0.5 * (low - high) * (1.0 + xp.cos(xp.pi * share))
            value = here if value is None else xp.where(t > begin, here, value)
            begin, low = end, high
        return value


@dataclass(frozen=True)
class WarmUp(BaseSchedule):
    """A straight line up to where another schedule begins, and then that one.

    then(0) * (start + (1 - start) * step / steps)    for step < steps
    then(step - steps)                                from there on

    Parameters
    ----------
    steps : int >= 1
    then : float or schedule
    start : float in [0, 1]
        The share of then(0) at the first step. PyTorch's `start_factor` of `LinearLR`.

    References
    ----------
    Goyal et al. 2017, Accurate, large minibatch SGD: training ImageNet in 1 hour, section 2.2.

    Examples
    --------
    >>> warm_up = WarmUp(4, then=0.8, start=0.25)
    >>> [round(warm_up(step), 4) for step in range(6)]
    [0.2, 0.35, 0.5, 0.65, 0.8, 0.8]
    """

    steps: int
    then: float | Schedule
    start: float = 1.0 / 3.0

    def __post_init__(self) -> None:
        check_integer(self, "steps", low=1)
        check_number(self, "start", low=0.0, high=1.0)
        if not callable(self.then):
            check_number(self, "then", low=0.0, open_low=True)

    def formula(self, xp: Any, step: Any) -> Any:
        """The line, or what comes after it."""
        then = self.then if callable(self.then) else Constant(self.then)
        share = self.start + (1.0 - self.start) * (xp.number(step) / self.steps)
        # Both branches are evaluated, so before its time the other schedule is asked for step 0.
        later = xp.where(step < self.steps, 0 * step, step - self.steps)
        return xp.where(step < self.steps, then(0 * step) * share, then(later))
