"""The one error of this folder: a sentence for the person who holds the file."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class DataError(ValueError):
    """The data cannot be used; the message says what, whose, why, and what to do.

    Parameters
    ----------
    asked : str
        What was asked for, for example ``"column 'incme' of adult.csv"``.
    reason : str
        Why it cannot be had.
    remedy : str
        What to do about it.
    asker : str, optional
        Who asked for it, for example ``"--target"``.

    Examples
    --------
    >>> print(DataError("data.csv", "the file does not exist", "check the path"))
    data.csv: the file does not exist. What to do: check the path.
    """

    def __init__(self, asked: str, reason: str, remedy: str, asker: str = "") -> None:
        self.asked = asked
        self.reason = reason
        self.remedy = remedy
        self.asker = asker
        by = f" (asked by {asker})" if asker else ""
        super().__init__(f"{asked}{by}: {reason}. What to do: {remedy}.")


def quoted(names: Iterable[str], limit: int = 8) -> str:
    """List names in quotes, the first ``limit`` of them.

    Examples
    --------
    >>> quoted(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    listed = list(names)
    text = ", ".join(repr(name) for name in listed[:limit])
    return text + (f" and {len(listed) - limit} more" if len(listed) > limit else "")


def listed_columns(names: Iterable[str], limit: int = 20) -> str:
    """List columns, and the last one even where there are too many: it often is the target.

    Examples
    --------
    >>> listed_columns(["a", "b", "c", "d", "e"], limit=3)
    "'a', 'b', 2 more, 'e'"
    """
    names = list(names)
    if len(names) <= limit:
        return quoted(names, limit)
    shown = ", ".join(repr(name) for name in names[: limit - 1])
    return f"{shown}, {len(names) - limit} more, {names[-1]!r}"


def suggestion(name: str, names: Iterable[str]) -> str:
    """Say which of ``names`` may have been meant by ``name``, or which there are.

    Examples
    --------
    >>> suggestion("incme", ["age", "income"])
    "did you mean 'income'? The columns are 'age', 'income'"
    """
    listed = list(names)
    by_lower = {known.lower(): known for known in listed}
    close = [by_lower[key] for key in get_close_matches(name.lower(), list(by_lower), n=3)]
    meant = f"did you mean {quoted(close)}? " if close else ""
    return f"{meant}{'T' if meant else 't'}he columns are {listed_columns(listed)}"
