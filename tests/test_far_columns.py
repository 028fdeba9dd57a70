"""Columns whose mean is far larger than their spread: timestamps, serial numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit import LinearRegression, LogisticRegression, Ridge
from xpfit.backends import Backend


def table(offset: float) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 5))
    return X + offset, X.sum(axis=1) + 0.1 * rng.normal(size=3000)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("offset", [0.0, 1e5, 1e7, 1e9])
def test_an_offset_of_the_columns_changes_no_prediction(offset: float, backend: str) -> None:
    X, y = table(offset)
    plain, _ = table(0.0)
    for model in (LinearRegression(backend=backend), Ridge(alpha=1.0, backend=backend)):
        expected = model.fit(plain, y).predict(plain)
        tolerance = 1e-8 + 2e-12 * offset
        np.testing.assert_allclose(model.fit(X, y).predict(X), expected, atol=tolerance)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_timestamp_is_no_obstacle(standardize: bool) -> None:
    X, y = table(1.7e9)
    plain, _ = table(0.0)
    model = LogisticRegression(standardize=standardize)
    far, near = model.fit(X, y > 0).predict_proba(X), model.fit(plain, y > 0).predict_proba(plain)
    np.testing.assert_allclose(far, near, atol=2e-3)


@pytest.mark.parametrize("offset", [0.0, 100.0, 1e3, 1e4])
def test_short_floats_are_centred_sooner(jax_backend: Backend, offset: float) -> None:
    X, y = table(offset)
    short = jax_backend.from_numpy(X.astype(np.float32))
    target = jax_backend.from_numpy(y.astype(np.float32))
    for model in (LinearRegression(), Ridge(alpha=1.0)):
        # At 10,000 float32 keeps three digits of a deviation, and the prediction loses as many.
        assert model.fit(short, target).score(short, target) > 0.9
