"""float32 exp, tanh and log1p of the network kernels, against NumPy's in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from xpfit.backends.numba_kernels import single


@njit
def exps(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = single.exp(x[i])


@njit
def tanhs(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = single.tanh(x[i])


@njit
def log1ps(x: Any, out: Any) -> None:
    for i in range(x.shape[0]):
        out[i] = single.log1p(x[i])


def values(function: Callable[..., None], x: Any) -> np.ndarray[Any, Any]:
    x = np.asarray(x, dtype=np.float32)
    out = np.empty_like(x)
    function(x, out)
    return out


CASES = [
    (exps, np.exp, np.linspace(-86.8, 88.7, 200_001)),
    (exps, np.exp, np.linspace(-1e-3, 1e-3, 20_001)),
    (tanhs, np.tanh, np.linspace(-12.0, 12.0, 200_001)),
    (tanhs, np.tanh, np.concatenate([s * np.logspace(-30, 0, 50_001) for s in (-1, 1)])),
    (log1ps, np.log1p, np.linspace(0.0, 1.0, 200_001)),
    (log1ps, np.log1p, np.logspace(-30, 0, 50_001)),
]


@pytest.mark.parametrize(("function", "exact", "x"), CASES)
def test_within_three_units_of_the_last_place(function: Any, exact: Any, x: Any) -> None:
    x = x.astype(np.float32)
    wanted = exact(x.astype(np.float64))
    unit = np.spacing(np.abs(wanted).astype(np.float32)).astype(np.float64)
    assert (np.abs(values(function, x) - wanted) <= 3.0 * unit).all()


def test_ends_of_the_range_and_nan() -> None:
    x = [-math.inf, -1000.0, -88.0, 0.0, 88.8, 1000.0, math.inf, math.nan]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(
            values(exps, x), np.asarray([0, 0, 0, 1, math.inf, math.inf, math.inf, math.nan])
        )
    np.testing.assert_array_equal(
        values(tanhs, [-math.inf, -1e3, 0.0, 1e3, math.inf, math.nan]),
        np.asarray([-1, -1, 0, 1, 1, math.nan]),
    )
    assert np.isnan(values(log1ps, [math.nan])).all()
