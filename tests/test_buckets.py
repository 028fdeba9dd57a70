"""Rows filled up to a bucket: the same fit, and no program for another number of rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend, bucket_size
from xpfit.core import buckets
from xpfit.core.buckets import Rows, in_bucket
from xpfit.core.fit import fit_linear_model
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    PointwiseLoss,
)


def test_buckets_hold_their_rows_and_waste_a_quarter_at_most() -> None:
    sizes = [bucket_size(n) for n in range(1, 5000)]
    assert all(n <= size <= max(n, 1.25 * n) for n, size in enumerate(sizes, start=1))
    assert all(bucket_size(size) == size for size in sizes)
    assert len(set(sizes)) < 60


def _data(n: int, loss: Any, weighted: bool) -> tuple[np.ndarray, np.ndarray, Any]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, 6)) + 3.0
    if loss is HALF_MULTINOMIAL:
        y: np.ndarray = (X[:, :3] + rng.gumbel(size=(n, 3))).argmax(axis=1)
    elif loss is HALF_BINOMIAL:
        y = (X[:, 0] + rng.normal(size=n) > 3.0).astype(float)
    else:
        y = rng.poisson(np.exp(0.3 * (X[:, 0] - 3.0))).astype(float) + 1.0
    return X, y, rng.uniform(0.5, 2.0, size=n) if weighted else None


def _log_ratio(xp: Any, y: Any, raw_prediction: Any) -> Any:
    # Not finite for y = 0: what fills up must be as good as the rows of the data.
    return 0.5 * (raw_prediction - xp.log(y)) ** 2


def _log_ratio_gradient(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return raw_prediction - xp.log(y)


def _one(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return 0.0 * raw_prediction + 1.0


LOG_RATIO = PointwiseLoss("log_ratio", _log_ratio, _log_ratio_gradient, _one)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(
    "loss", [HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR, HALF_POISSON, LOG_RATIO]
)
def test_the_fit_is_that_of_the_rows(
    jax_backend: Backend, monkeypatch: pytest.MonkeyPatch, loss: Any, standardize: bool,
    weighted: bool,
) -> None:  # fmt: skip
    X, y, weight = _data(333, loss, weighted)

    def fit() -> Any:
        arrays = (None if a is None else jax_backend.from_numpy(a) for a in (X, y, weight))
        X_there, y_there, weight_there = arrays
        return fit_linear_model(
            X_there, y_there, sample_weight=weight_there, loss=loss, backend=jax_backend,
            n_outputs=3 if loss is HALF_MULTINOMIAL else 1, l2_reg_strength=1e-3,
            standardize=standardize, tol=1e-10,
        )  # fmt: skip

    found = fit()
    monkeypatch.setattr(buckets, "MOST_NUMBERS", 0)
    expected = fit()
    np.testing.assert_allclose(found.W, expected.W, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.b, expected.b, rtol=1e-8, atol=1e-10)
    # One more where the rounding of a refinement decides.
    assert abs(found.result.n_passes - expected.result.n_passes) <= 1


def test_rows_are_filled_with_copies_without_weight(jax_backend: Backend) -> None:
    X, y, _ = _data(9, HALF_POISSON, False)
    given = Rows(*(jax_backend.from_numpy(part) for part in (X, y)), None)
    found = in_bucket(jax_backend, given, None)
    assert found.X.shape == (10, 6)
    np.testing.assert_array_equal(np.asarray(found.X), X[[*range(9), 0]])
    np.testing.assert_array_equal(np.asarray(found.y), y[[*range(9), 0]])
    np.testing.assert_array_equal(np.asarray(found.sample_weight), [1.0] * 9 + [0.0])


def test_what_is_not_compiled_or_large_stays(
    jax_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = Rows(*(jax_backend.from_numpy(part) for part in _data(9, HALF_POISSON, True)))
    assert in_bucket(jax_backend, rows, False) is rows
    assert in_bucket(dataclasses.replace(jax_backend, compiles=False), rows, None) is rows
    monkeypatch.setattr(buckets, "MOST_NUMBERS", rows.X.size - 1)
    assert in_bucket(jax_backend, rows, None) is rows


def test_an_error_counts_the_rows_that_were_given(jax_backend: Backend) -> None:
    X, y, _ = _data(333, HALF_POISSON, False)
    y[0] = 0.0
    with pytest.raises(ValueError, match="for 1 of 333 samples"), np.errstate(divide="ignore"):
        fit_linear_model(*map(jax_backend.from_numpy, (X, y)), loss=LOG_RATIO, backend=jax_backend)
