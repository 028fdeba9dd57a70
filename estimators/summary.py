"""The table that `LogisticRegression.summary` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._cost import Floats


@dataclass(frozen=True, eq=False, repr=False)
class CoefficientSummary:
    """Estimates and their uncertainty; `str` of it is a table.

    All arrays have one entry for each column of X, and a last one for the intercept where there is
    one.

    Attributes
    ----------
    names : list of str
    estimate, standard_error, z, p_value : ndarray
        z = estimate / standard_error; p_value is two-sided, of the normal distribution.
    low, high : ndarray
        The confidence interval of the estimate.
    odds_ratio, odds_low, odds_high : ndarray
        exp of the estimate and of its interval.
    standardized : ndarray
        Coefficient per standard deviation of its column; NaN for the intercept.
    covariance : ndarray of shape (n, n)
    level : float
        Of the intervals.
    positive_class : object
        The class whose odds these are.
    n_samples : int
    notes : list of str
        How to read the errors.
    """

    names: list[str]
    estimate: Floats
    standard_error: Floats
    z: Floats
    p_value: Floats
    low: Floats
    high: Floats
    odds_ratio: Floats
    odds_low: Floats
    odds_high: Floats
    standardized: Floats
    covariance: Floats
    level: float
    positive_class: Any
    n_samples: int
    notes: list[str]

    def columns(self) -> dict[str, Floats]:
        """The columns of the table by name."""
        keys = (
            "estimate", "standard_error", "z", "p_value", "low", "high", "odds_ratio", "odds_low",
            "odds_high", "standardized",
        )  # fmt: skip
        return {key: getattr(self, key) for key in keys}

    def to_frame(self) -> Any:
        """The table as a pandas DataFrame, a row for each name.

        Raises
        ------
        ModuleNotFoundError
            Where pandas is not installed.
        """
        import pandas

        return pandas.DataFrame(self.columns(), index=self.names)

    def __str__(self) -> str:
        percent = f"{100 * self.level:g} %"
        head = ["", "estimate", "std. error", "z", "p", f"{percent} interval", "odds ratio",
                f"{percent} interval", "per std. dev."]  # fmt: skip
        rows = [head]
        for k, name in enumerate(self.names):
            own = self.standardized[k]
            rows.append([
                name, f"{self.estimate[k]:.4g}", f"{self.standard_error[k]:.3g}",
                f"{self.z[k]:.2f}", f"{self.p_value[k]:.2g}",
                f"{self.low[k]:.4g} .. {self.high[k]:.4g}", f"{self.odds_ratio[k]:.4g}",
                f"{self.odds_low[k]:.4g} .. {self.odds_high[k]:.4g}",
                "" if np.isnan(own) else f"{own:.4g}",
            ])  # fmt: skip
        widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
        lines = []
        for name, *cells in rows:
            right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append("  ".join([name.ljust(widths[0]), *right]).rstrip())
        title = f"Log-odds of class {self.positive_class!r}, {self.n_samples:,} rows"
        return "\n".join([title, "", *lines, "", *self.notes])

    __repr__ = __str__
