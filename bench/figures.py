"""What a row of the speed table holds: contestants with their times, and figures with targets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .timing import Comparison


@dataclass(frozen=True)
class Figure:
    """One measured number, and what it must reach.

    Parameters
    ----------
    label : str
    value : float
    target : float or None
        None for information only.
    sense : {"<=", "<", ">="}
    unit : str
        "x" for a ratio of times; "passes", "s", "MiB" ...
    """

    label: str
    value: float
    target: float | None = None
    sense: str = "<="
    unit: str = "x"

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None without one. NaN meets nothing."""
        if self.target is None:
            return None
        if math.isnan(self.value):
            return False
        if self.sense == ">=":
            return self.value >= self.target
        return self.value < self.target if self.sense == "<" else self.value <= self.target

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "label": self.label,
            "value": self.value,
            "target": self.target,
            "sense": self.sense,
            "unit": self.unit,
            "reached": self.reached,
        }


@dataclass
class Row:
    """A row of the speed table while it is measured.

    Parameters
    ----------
    key : str
        What `--rows` calls it.
    what : str
        What was measured, on data of which shape.
    figures, details : list of Figure
    comparisons : dict
        The times behind the figures, by the name of what was compared.
    notes : list of str
    """

    key: str
    what: str
    figures: list[Figure] = field(default_factory=list)
    comparisons: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: list[Figure] = field(default_factory=list)

    def add(self, label: str, value: float, target: float | None = None, **more: Any) -> None:
        """Add a figure."""
        self.figures.append(Figure(label, float(value), target, **more))

    def add_detail(
        self, label: str, value: float, target: float | None = None, **more: Any
    ) -> None:
        """Add a figure that the table shows below, under the figure that sums them up."""
        self.details.append(Figure(label, float(value), target, **more))

    def keep(self, name: str, comparison: Comparison) -> None:
        """Keep the times behind the figures."""
        self.comparisons[name] = comparison.as_dicts()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "key": self.key,
            "what": self.what,
            "figures": [figure.as_dict() for figure in self.figures],
            "details": [figure.as_dict() for figure in self.details],
            "comparisons": self.comparisons,
            "notes": self.notes,
            "reached": all_reached(f.reached for f in (*self.figures, *self.details)),
        }


def all_reached(verdicts: Iterable[bool | None]) -> bool | None:
    """Whether all targets are met; None where there is none.

    Examples
    --------
    >>> all_reached([None, True]), all_reached([True, False]), all_reached([None])
    (True, False, None)
    """
    known = [verdict for verdict in verdicts if verdict is not None]
    return all(known) if known else None
