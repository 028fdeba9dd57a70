"""The target column: classes or numbers, and which of the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import DataError, quoted
from .table import Categories, Table, is_number

Task = Literal["classification", "regression"]

MAX_INTEGER_CLASSES = 20
MAX_CLASSES = 1000
# A text target of more distinct values is looked at for numbers.
FEW_CLASSES = 20


@dataclass(frozen=True)
class Target:
    """A target column without its missing rows.

    Parameters
    ----------
    name : str
        The column.
    values : ndarray, shape (n_kept,)
        Text, or integers where all numbers are whole, or float64.
    kept : ndarray of int, shape (n_kept,)
        The rows of the table that have a target.
    n_missing : int
        How many rows have none.

    Examples
    --------
    >>> target = Target("y", np.array([0, 1, 0]), np.arange(3), 0)
    >>> target.distinct.tolist(), target.is_text
    ([0, 1], False)
    """

    name: str
    values: NDArray[Any]
    kept: NDArray[np.intp]
    n_missing: int

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return self.values.dtype.kind == "U"

    @property
    def distinct(self) -> NDArray[Any]:
        """The distinct values, sorted."""
        return np.unique(self.values)

    @property
    def note(self) -> str:
        """What was left out, in a sentence; empty when nothing was."""
        if not self.n_missing:
            return ""
        return f"{self.n_missing} row(s) without a value of {self.name!r} were left out"


def read_target(table: Table, name: str, asker: str = "--target") -> Target:
    """Take the target out of a table.

    Parameters
    ----------
    table : Table
    name : str
        The column.
    asker : str
        Who named it, for the message.

    Raises
    ------
    DataError
        When there is no such column, it has no value at all, or an infinite one.

    Examples
    --------
    >>> table = Table("demo", ("y",), np.array([[1.0], [np.nan], [2.0]]), {"y": 0})
    >>> target = read_target(table, "y")
    >>> target.values.tolist(), target.note
    ([1, 2], "1 row(s) without a value of 'y' were left out")
    """
    column = table.column(name, asker)
    asked = f"column {name!r} of {table.source}"
    if isinstance(column, Categories):
        present = column.codes >= 0
        values = column.texts()[present]
    else:
        present = ~np.isnan(column) if column.dtype.kind == "f" else np.ones(len(column), bool)
        values = column[present]
        if values.dtype.kind == "f":
            if np.isinf(values).any():
                reason = f"it has {int(np.isinf(values).sum())} infinite value(s)"
                raise DataError(asked, reason, "replace them, or leave these rows out", asker)
            whole = (
                bool(np.all(values == np.rint(values)))
                and float(np.abs(values).max(initial=0)) < 2**53
            )
            values = values.astype(np.int64 if whole else np.float64)
    kept = np.flatnonzero(present)
    if not kept.size:
        raise DataError(asked, "every value is missing", "choose another target", asker)
    return Target(name, values, kept, int(present.size - kept.size))


def choose_task(target: Target) -> tuple[Task, str]:
    """Decide between classes and numbers, and say why.

    Text is classes. Whole numbers are classes when there are at most 20 of them, with five rows
    or more for each on average (two values always are). Everything else is a number.

    Examples
    --------
    >>> choose_task(Target("y", np.array(["no", "yes"]), np.arange(2), 0))
    ('classification', "'y' is text with 2 distinct values")
    >>> choose_task(Target("y", np.array([0.5, 1.5, 7.25]), np.arange(3), 0))
    ('regression', "'y' is numeric with 3 distinct values")
    """
    count = len(target.distinct)
    if target.is_text:
        return "classification", f"{target.name!r} is text with {count} distinct values"
    whole = target.values.dtype.kind in "iu"
    few = count <= MAX_INTEGER_CLASSES and target.values.size >= 5 * count
    if count == 2 or (whole and few):
        return "classification", f"{target.name!r} has only {count} distinct values"
    return "regression", f"{target.name!r} is numeric with {count} distinct values"


def check_target(target: Target, task: Task, source: str) -> None:
    """Refuse a target that nothing can be learnt from.

    Raises
    ------
    DataError
        When it is constant, when a number is asked of text, or when nearly every row has a
        class of its own.

    Examples
    --------
    >>> check_target(Target("y", np.array([0, 1]), np.arange(2), 0), "classification", "demo")
    """
    asked = f"target {target.name!r} of {source}"
    distinct = target.distinct
    if len(distinct) == 1:
        shown = f"it has one value only, {distinct[0]!s}, in all {target.values.size} rows"
        raise DataError(asked, shown, "choose a target that varies, or check how rows were chosen")
    mostly = _numbers_but_for(target)
    if mostly:
        raise DataError(asked, mostly, "mend these cells, or empty them: rows without are left out")
    if task == "regression" and target.is_text:
        reason = f"it is text ({quoted(map(str, distinct), 4)}), and a regression needs numbers"
        raise DataError(asked, reason, "use --model logistic, or turn it into numbers")
    crowded = len(distinct) > MAX_CLASSES or 2 * len(distinct) > target.values.size
    if task == "classification" and crowded and len(distinct) > 2:
        reason = f"it has {len(distinct)} classes in {target.values.size} rows"
        remedy = "choose a column with fewer distinct values" + (
            "" if target.is_text else ", or --model ridge to predict a number"
        )
        raise DataError(asked, reason, remedy)


def _numbers_but_for(target: Target) -> str:
    """Say which values of a text target are no numbers, where most of many distinct ones are."""
    distinct = [str(value) for value in target.distinct]
    if not target.is_text or len(distinct) <= FEW_CLASSES:
        return ""
    odd = [text for text in distinct if not is_number(text)]
    if odd and 2 * len(odd) <= len(distinct):
        return f"it is numbers, but for {quoted(odd, 4)}"
    if odd and all(is_number(text.replace(",", ".", 1)) for text in odd):
        return f"its numbers are written with commas ({quoted(odd, 2)})"
    return ""
