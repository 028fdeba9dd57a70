"""Messages of libraries and of Python's classes, in the words of the command line.

An option's value is refused by pydantic, in its own words; advice of an estimator names arguments,
which here are options, or are not there at all.
"""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

# What each kind of pydantic's errors is called here; "{}" is its bound.
_REFUSALS = {
    "int_parsing": "no whole number",
    "int_from_float": "no whole number",
    "int_parsing_size": "too large a whole number",
    "float_parsing": "no number",
    "greater_than": "no number above {:g}",
    "greater_than_equal": "no number of at least {:g}",
    "less_than": "no number below {:g}",
    "less_than_equal": "no number of at most {:g}",
}
# Advice in Python's words; the columns of a file are scaled already.
_ADVICE = (
    ("Raise max_iter, or tol", "Raise --max-iter, or --tol"),
    (
        "Lower the learning rate, scale the columns (sklearn.preprocessing.StandardScaler), or "
        "clip gradients (max_norm). The parameters of the best epoch are kept.",
        "Give a lower --learning-rate, or a larger --batch-size. Nothing was written.",
    ),
    (
        "Columns of very different scale are the usual cause: set standardize=True. More "
        "regularization (a smaller C, a larger alpha) or a larger tol helps too. If the loss is "
        "your own, check its derivatives first: docs/losses.md says how.",
        "More regularization (a smaller --C, a larger --alpha) or a larger --tol helps.",
    ),
    (": set standardize=True.", ": leave out what differs by orders of magnitude (--drop)."),
)
_SETTING = re.compile(r"\b(tol|max_iter)=(\S+)")


def with_flags(message: str) -> str:
    """A message of an estimator with the options of the command line in place of arguments.

    Examples
    --------
    >>> with_flags("It fell by more than tol=0.1. Raise max_iter, or tol if this is close enough.")
    'It fell by more than --tol 0.1. Raise --max-iter, or --tol if this is close enough.'
    """
    for in_python, here in _ADVICE:
        message = message.replace(in_python, here)
    return _SETTING.sub(lambda found: f"--{found[1].replace('_', '-')} {found[2]}", message)


def refusal(error: typer.BadParameter) -> str:
    """Why a value was refused, without the words of the library that looked at it."""
    errors = getattr(error.__cause__, "errors", None)
    details: list[dict[str, Any]] = list(errors()) if callable(errors) else []
    if not details:
        return str(error.message)
    first = details[0]
    context = first.get("ctx") or {}
    if first.get("type") == "value_error":
        return str(context.get("error", error.message))
    words = _REFUSALS.get(str(first.get("type")))
    if words is None:
        return str(error.message)
    bound = next((value for value in context.values() if isinstance(value, int | float)), 0)
    return f"{first.get('input')!r} is {words.format(bound)}."


class PlainCommand(TyperCommand):
    """A command that says in plain words why it refuses a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base class does."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = refusal(error)
            raise
