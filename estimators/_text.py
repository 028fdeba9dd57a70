"""Text where numbers belong: which value, in which column and row."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._dates import describe_dates

# Rows looked at; an error may name no value, but must not take minutes.
LOOKED_AT = 100_000


class _Found(NamedTuple):
    value: Any
    row: int
    column: int | None


def describe_text(who: str, argument: str, given: Any) -> str | None:
    """The text of the error for text in X or y, with one value as an example; None without any.

    Examples
    --------
    >>> describe_text("Ridge", "y", ["1", "cook"]).partition(". ")[0]
    "Ridge: y holds text, 'cook' in row 1"
    """
    found = _find(given)
    if found is None:
        return None
    place = f"row {found.row}"
    if found.column is not None:
        names = list(getattr(given, "columns", ()))
        name = f" {str(names[found.column])!r}" if found.column < len(names) else ""
        place = f"column {found.column}{name}, {place}"
    cure = "Pass numbers; text as the target is for classifiers, such as LogisticRegression."
    if argument == "X":
        cure = (
            "Encode such columns as numbers first, e.g. with sklearn.preprocessing.OneHotEncoder, "
            "or drop them."
        )
    return f"{who}: {argument} holds text, {found.value!r} in {place}. {cure}"


def describe_no_numbers(who: str, argument: str, given: Any) -> str | None:
    """The text of the error for dates, times or text in X or y; None without any."""
    return describe_dates(who, argument, given) or describe_text(who, argument, given)


def _find(given: Any) -> _Found | None:
    """The first text, of a column at a time, that is no number written as text; else any text."""
    try:
        values = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given, dtype=object)
    except (TypeError, ValueError):
        return None  # ragged
    if values.ndim not in {1, 2}:
        return None
    spare = None
    columns = values[:, None] if values.ndim == 1 else values
    for j in range(columns.shape[1]):
        for i, value in enumerate(columns[:LOOKED_AT, j]):
            if not isinstance(value, str | bytes):
                continue
            found = _Found(
                getattr(value, "item", lambda value=value: value)(), i,
                j if values.ndim == 2 else None,
            )  # fmt: skip
            if not _is_number(value):
                return found
            spare = spare or found
    return spare


def _is_number(text: str | bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
