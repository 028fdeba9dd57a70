"""Sine and cosine at once, against NumPy's in long double."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from test_numba_kernels import apply

from xpfit.backends.numba_kernels.trigonometric import sincos


@pytest.mark.parametrize("k", [0, 1], ids=["sin", "cos"])
def test_sincos_is_exact_to_the_last_bits(k: int) -> None:
    @njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def one(x: float) -> float:
        return sincos(x)[k]

    reference = (np.sin, np.cos)[k]
    for points in (np.linspace(-50.0, 50.0, 20_001), np.geomspace(1e-30, 1e7, 20_001)):
        expected = reference(points.astype(np.longdouble))
        units = np.abs(apply(one, points) - expected) / np.spacing(np.abs(expected).astype(float))
        assert float(units.max()) < 2.0
    found = apply(one, np.asarray([-0.0, np.inf, -np.inf, np.nan, 1e300]))
    assert np.isnan(found[1:4]).all()
    assert found[4] == pytest.approx(reference(1e300), rel=1e-15)
    assert found[0] == reference(-0.0)
    assert np.signbit(found[0]) == (k == 0)
