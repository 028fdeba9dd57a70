"""A constraint of parameters beside scikit-learn's."""

from __future__ import annotations

from sklearn.utils._param_validation import StrOptions


class OneOf(StrOptions):  # type: ignore[misc]
    """One of some names, told in the order of the alphabet: a set has another in each process.

    Examples
    --------
    >>> str(OneOf({"l2", "l1"}))
    "a str among {'l1', 'l2'}"
    """

    def __str__(self) -> str:
        return f"a str among {{{', '.join(map(repr, sorted(self.options)))}}}"
