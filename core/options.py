"""Checks of options, and of the names by which something is chosen: one wording for all of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np


def check_number(
    owner: object,
    name: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Raise unless the field `name` of `owner` is a finite number between `low` and `high`.

    Examples
    --------
    >>> from xpfit.core.schedules import Cosine
    >>> Cosine(learning_rate=-0.1, period=10)
    Traceback (most recent call last):
    ValueError: Cosine(learning_rate=-0.1): learning_rate must be a number > 0.
    """
    value = getattr(owner, name)
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if number and math.isfinite(value):
        above = value > low if open_low else value >= low
        below = value < high if open_high else value <= high
        if above and below:
            return
    message = (
        f"{_shown(owner, name)}: {name} must be a number{_range(low, high, open_low, open_high)}."
    )
    raise (ValueError if number else TypeError)(message)


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if math.isinf(high):
        if math.isinf(low):
            return ""
        return f" > {low:g}" if open_low else f" >= {low:g}"
    return f" in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def check_learning_rate(owner: Any) -> None:
    """Raise unless the field `learning_rate` of `owner` is a schedule or a number >= 0."""
    # 0 is allowed: it holds parameters still, and schedules come to it.
    if not callable(owner.learning_rate):
        check_number(owner, "learning_rate", low=0.0)


def check_integer(owner: object, name: str, *, low: int) -> None:
    """Raise unless the field `name` of `owner` is an integer of at least `low`."""
    value = getattr(owner, name)
    integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if integer and value >= low:
        return
    message = f"{_shown(owner, name)}: {name} must be an integer >= {low}."
    raise (ValueError if integer else TypeError)(message)


def check_choice(owner: object, name: str, choices: Sequence[object]) -> None:
    """Raise unless the field `name` of `owner` is one of `choices`, of the same type."""
    value = getattr(owner, name)
    # 1 == True, but is no answer to a question of yes or no.
    if any(type(value) is type(choice) and value == choice for choice in choices):
        return
    shown = ", ".join(map(repr, choices))
    message = f"{_shown(owner, name)}: {name} must be one of {shown}."
    raise ValueError(message)


def _shown(owner: object, name: str) -> str:
    return f"{type(owner).__name__}({name}={getattr(owner, name)!r})"


def build(
    name: str,
    known: Mapping[str, Callable[..., Any]],
    options: Mapping[str, Any],
    *,
    what: str,
    source: str,
    remedy: str,
) -> Any:
    """`known[name](**options)`.

    Raises
    ------
    ValueError
        For a name that is not known.
    TypeError
        For an option that the class does not have, or one that it needs and that is missing.
    """
    kind = known.get(name)
    if kind is None:
        near = difflib.get_close_matches(str(name).lower(), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        message = (
            f"unknown {what} {name!r} (from {source}): there is none of that name. "
            f"Known: {', '.join(known)}.{hint} {remedy}"
        )
        raise ValueError(message)
    try:
        return kind(**options)
    except TypeError as problem:
        allowed = [field.name for field in fields(kind)]  # type: ignore[arg-type]
        unknown = sorted(set(options) - set(allowed))
        if unknown:
            why = f"it has no option {', '.join(unknown)}"
        elif "missing" in str(problem):
            why = str(problem).partition("__init__() ")[2]
        else:
            raise
        message = (
            f"{what} {name!r} (from {source}) cannot be made: {why}. "
            f"Its options are: {', '.join(allowed)}."
        )
        raise TypeError(message) from problem


def no_options(given: object, options: Mapping[str, Any], source: str) -> None:
    """Raise if options come with something that is made already."""
    if options:
        message = (
            f"{source} was given {given!r} together with {', '.join(sorted(options))}: options "
            "belong to a name, and this is made already. Set them where it is made."
        )
        raise TypeError(message)
