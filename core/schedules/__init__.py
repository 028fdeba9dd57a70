"""Learning rates that depend on the step: functions of the number of steps already taken."""

from __future__ import annotations

from typing import Any

from ..options import build, no_options
from .base import BaseSchedule, Schedule
from .cycles import Cosine, OneCycle, StepHalving, WarmUp
from .decays import Constant, Exponential, InverseScaling, InverseTime, Optimal

__all__ = [
    "BaseSchedule",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseScaling",
    "InverseTime",
    "OneCycle",
    "Optimal",
    "Schedule",
    "StepHalving",
    "WarmUp",
    "get_schedule",
    "schedule_over",
]

SCHEDULES = {
    "constant": Constant,
    "inverse_time": InverseTime,
    "exponential": Exponential,
    "step_halving": StepHalving,
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "warm_up": WarmUp,
    "invscaling": InverseScaling,
    "optimal": Optimal,
}


def get_schedule(
    schedule: str | float | Schedule, *, source: str = "get_schedule()", **options: Any
) -> Schedule:
    """The schedule of that name with these options, or the one that is given.

    Parameters
    ----------
    schedule : str, float or callable
        "constant", "inverse_time", "exponential", "step_halving", "cosine", "one_cycle", "warm_up",
        "invscaling", "optimal"; a number is a constant one.
    source : str
        Who asks, for the error.
    **options
        Fields of the schedule.

    Raises
    ------
    ValueError
        For an unknown name, and for an option out of its range.
    TypeError
        For an unknown or missing option, options beside a schedule that is made already, and
        anything that is neither a name, a number nor a function.

    Examples
    --------
    >>> get_schedule("inverse_time", learning_rate=1.0, decay=1.0)(3)
    0.25
    """
    if callable(schedule):
        no_options(schedule, options, source)
        return schedule
    if isinstance(schedule, int | float) and not isinstance(schedule, bool):
        no_options(schedule, options, source)
        return Constant(schedule)
    remedy = "Give one of these names, a number, or a function of the steps already taken."
    if not isinstance(schedule, str):
        message = f"{source} was given {schedule!r}: no schedule, and no name of one. {remedy}"
        raise TypeError(message)
    made: Schedule = build(
        schedule, SCHEDULES, options, what="schedule", source=source, remedy=remedy
    )
    return made


def schedule_over(name: str, n_steps: int, *, learning_rate: float, source: str) -> Schedule:
    """The schedule of that name for a fit of at most `n_steps` steps.

    "cosine" falls to zero over all of them, without restarts, and "one_cycle" is one cycle of them
    (of 4 at least: it has to rise and to fall). Others are as `get_schedule` makes them.

    Parameters
    ----------
    name : str
    n_steps : int
        Epochs times steps of an epoch.
    learning_rate : float > 0
        The first; of "one_cycle" the largest.
    source : str
        Who asks, for the error.

    Examples
    --------
    >>> schedule_over("cosine", 100, learning_rate=0.5, source="a fit")(50)
    0.25
    """
    if name == "cosine":
        return Cosine(learning_rate, period=max(1, n_steps), restarts=False)
    if name == "one_cycle":
        return OneCycle(learning_rate, total_steps=max(4, n_steps))
    return get_schedule(name, source=source, learning_rate=learning_rate)
