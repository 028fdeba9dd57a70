"""Strengths of a penalty: alphas and Cs as users give them, and how their fits went."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..core.solvers.result import STOPPED_BY_CALLBACK, SUCCESS
from ._base import depth_to_user

Vector = np.ndarray[Any, Any]


def strengths_of(parameter: str, values: Any, scale: float) -> Vector:
    """Strengths in `core`: alpha / scale, or 1 / (C * scale)."""
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values / scale if parameter == "alpha" else 1.0 / (values * scale))


def checked_values(values: Any, what: str) -> Vector:
    """Values of alpha or C, ascending.

    Raises
    ------
    ValueError
        For none, for several dimensions, and for a value that is not positive and finite.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or not given.size or not (np.isfinite(given) & (given > 0.0)).all():
        message = (
            f"{what} is {values!r}. Pass a list of at least one; each must be finite and greater "
            "than 0 (fit the estimator without a penalty by itself)."
        )
        raise ValueError(message)
    return np.sort(given)


def warn_unconverged(who: str, parameter: str, paths: list[tuple[Vector, tuple[str, ...]]]) -> None:
    """One ConvergenceWarning for all strengths that did not converge: how many, and which."""
    names, reasons = [], []
    for values, stop_reasons in paths:
        for value, reason in zip(values, stop_reasons, strict=True):
            if reason not in SUCCESS and reason != STOPPED_BY_CALLBACK:
                names.append(f"{value:.4g}")
                reasons.append(reason)
    if not names:
        return
    n_fits = sum(len(values) for values, _ in paths)
    shown = ", ".join(dict.fromkeys(names[:10])) + (", ..." if len(names) > 10 else "")
    text = (
        f"{who}: {len(names)} of {n_fits} fits did not converge ({'; '.join(sorted(set(reasons)))}"
        f"), at {parameter} = {shown}. Raise max_iter, or tol if this is close enough; "
        "standardize=True helps where columns are of very different scale."
    )
    warnings.warn(text, ConvergenceWarning, stacklevel=depth_to_user())
