"""Dates and times where numbers belong: which value, in which column and row."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import numpy as np

# Rows looked at; an error may name no value, but must not take minutes.
LOOKED_AT = 100_000
# How the dtypes of pandas, polars and pyarrow begin, in small letters: datetime64[ns, UTC],
# timestamp[us], date32[day], timedelta64[s], duration[ns], Period[M].
_BEGIN = ("date", "time", "duration", "period")
_TYPES = (
    datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64,
)  # fmt: skip


class _Found(NamedTuple):
    value: str
    row: int
    column: int | None


def describe_dates(who: str, argument: str, given: Any) -> str | None:
    """The text of the error for dates or times in X or y, with the first as an example; or None.

    Examples
    --------
    >>> when = np.array([["2020-01-01"], ["2020-02-01"]], dtype="datetime64[D]")
    >>> describe_dates("Ridge", "X", when).partition(". ")[0]
    "Ridge: X holds dates or times, '2020-01-01' in column 0, row 0"
    """
    found = _in_typed_column(given) or _among_objects(given)
    if found is None:
        return None
    place = f"row {found.row}"
    if found.column is not None:
        names = _names(given)
        name = f" {str(names[found.column])!r}" if found.column < len(names) else ""
        place = f"column {found.column}{name}, {place}"
    cure = "Pass numbers, such as the seconds since a fixed date."
    if argument == "X":
        cure = (
            "Make numbers of such columns first, such as the seconds since a fixed date, or year, "
            "month and weekday, or drop them."
        )
    return f"{who}: {argument} holds dates or times, {found.value!r} in {place}. {cure}"


def holds_typed_dates(frame: Any) -> bool:
    """Whether a table says so by the dtype of a column: its values need not be looked at."""
    return _first_of_dates(_dtypes(frame)) is not None


def _dtypes(given: Any) -> list[Any]:
    schema = getattr(given, "schema", None)
    if hasattr(schema, "types"):  # pyarrow
        return list(schema.types)
    if hasattr(given, "columns") and hasattr(given, "dtypes"):  # pandas, polars
        return list(given.dtypes)
    return [given.dtype] if getattr(given, "ndim", 0) == 1 and hasattr(given, "dtype") else []


def _first_of_dates(dtypes: list[Any]) -> int | None:
    of_dates = {dtype for dtype in set(dtypes) if str(dtype).lower().startswith(_BEGIN)}
    return next((j for j, dtype in enumerate(dtypes) if dtype in of_dates), None)


def _names(given: Any) -> list[Any]:
    return list(getattr(given, "column_names", getattr(given, "columns", ())))


def _in_typed_column(given: Any) -> _Found | None:
    if isinstance(given, np.ndarray):
        of_dates = given.dtype.kind in "mM" and given.size > 0
        column = 0 if given.ndim == 2 else None
        return _Found(str(given.flat[0]), 0, column) if of_dates else None
    column = _first_of_dates(_dtypes(given))
    if column is None:
        return None
    if getattr(given, "ndim", 2) == 1:
        return _Found(str(next(iter(given), None)), 0, None)
    values = given.iloc[:, column] if hasattr(given, "iloc") else given[_names(given)[column]]
    return _Found(str(next(iter(values), None)), 0, column)


def _among_objects(given: Any) -> _Found | None:
    try:
        values = np.asarray(given, dtype=object)
    except (TypeError, ValueError):
        return None  # ragged
    if values.ndim not in {1, 2}:
        return None
    columns = values[:, None] if values.ndim == 1 else values
    for j in range(columns.shape[1]):
        for i, value in enumerate(columns[:LOOKED_AT, j]):
            if isinstance(value, _TYPES):
                return _Found(str(value), i, j if values.ndim == 2 else None)
    return None
