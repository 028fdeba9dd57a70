"""Memory cases: the same numbers by ways that move more or fewer bytes. Each way is a rung."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .case import Contestant

Way = Callable[..., Contestant]


def _ways(**functions: Callable[..., Any]) -> dict[str, Way]:
    def way(function: Callable[..., Any]) -> Way:
        return lambda *inputs: lambda: function(*inputs)

    return {name.replace("_", " "): way(function) for name, function in functions.items()}


def _sum_of_copy(X: Any) -> Any:
    return float(X[::2].copy().sum())


def _sum_of_view(X: Any) -> Any:
    return float(X[::2].sum())


VIEW_OR_COPY = _ways(view=_sum_of_view, copy=_sum_of_copy)


def _in_place(x: Any) -> Contestant:
    out = np.empty_like(x)

    def run() -> Any:
        np.multiply(x, 2.0, out=out)
        np.add(out, 3.0, out=out)
        return out

    return run


IN_PLACE_OR_FRESH: dict[str, Way] = {
    "fresh arrays": lambda x: lambda: x * 2.0 + 3.0,
    "in place": _in_place,
}


def _column_sums_of(order: Any) -> Way:
    def prepare(X: Any) -> Contestant:
        stored = np.asarray(X, order=order)
        return lambda: stored.sum(axis=0)

    return prepare


def _row_sums_of(order: Any) -> Way:
    def prepare(X: Any) -> Contestant:
        stored = np.asarray(X, order=order)
        return lambda: stored.sum(axis=1)

    return prepare


COLUMN_SUMS: dict[str, Way] = {
    "C order": _column_sums_of("C"),
    "Fortran order": _column_sums_of("F"),
}
ROW_SUMS: dict[str, Way] = {"C order": _row_sums_of("C"), "Fortran order": _row_sums_of("F")}


def _by_product(X: Any) -> Any:
    squares = np.einsum("ij,ij->i", X, X)
    return squares[:, None] + squares[None, :] - 2.0 * (X @ X.T)


PAIRWISE: dict[str, Way] = {
    "broadcast to (n, n, d)": lambda X: lambda: ((X[:, None, :] - X[None, :, :]) ** 2).sum(axis=2),
    "one matrix product": lambda X: lambda: _by_product(X),
}
