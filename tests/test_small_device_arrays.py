"""`backend="auto"` and few numbers on a device: fitted on the host; without it, where they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit import HuberRegressor, LogisticRegression, PoissonRegressor, Ridge
from xpfit.backends import Backend
from xpfit.estimators._backend_choice import CROSSOVER

ESTIMATORS = [HuberRegressor, LogisticRegression, PoissonRegressor, Ridge]


def _arrays(backend: Backend, n: int, d: int = 3) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, d))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(float)
    return tuple(backend.from_numpy(a) for a in (X, y, rng.uniform(0.5, 1.5, n)))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_auto_takes_the_host(jax_backend: Backend, estimator: Any) -> None:
    X, y, weight = _arrays(jax_backend, 200)
    found = estimator(backend="auto").fit(X, y, sample_weight=weight)
    assert found.backend_ == "numpy"
    host = [np.asarray(part) for part in (X, y, weight)]
    expected = estimator(backend="numpy").fit(host[0], host[1], sample_weight=host[2])
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    # Predictions live where X does.
    assert isinstance(found.predict(X), jax_backend.array_type)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_without_auto_arrays_stay(jax_backend: Backend, estimator: Any) -> None:
    X, y, weight = _arrays(jax_backend, 200)
    assert estimator().fit(X, y, sample_weight=weight).backend_ == "jax"


def test_many_numbers_stay(jax_backend: Backend) -> None:
    X, y, _ = _arrays(jax_backend, CROSSOVER // 3)
    assert LogisticRegression(backend="auto").fit(X, y).backend_ == "jax"
    X, y, _ = _arrays(jax_backend, CROSSOVER // 3 - 1)
    assert LogisticRegression(backend="auto").fit(X, y).backend_ == "numpy"


def test_what_numpy_does_not_hold_stays(jax_backend: Backend) -> None:
    import jax.numpy as jnp

    X, y, _ = _arrays(jax_backend, 200)
    assert Ridge(backend="auto").fit(X.astype(jnp.bfloat16), y).backend_ == "jax"
    assert Ridge(backend="auto").fit(X, y.astype(jnp.bfloat16)).backend_ == "jax"


def test_text_labels(jax_backend: Backend) -> None:
    X, y, _ = _arrays(jax_backend, 200)
    labels = np.where(np.asarray(y) > 0, "yes", "no")
    model = LogisticRegression(backend="auto").fit(X, labels)
    assert model.backend_ == "numpy"
    assert set(model.predict(X)) == {"no", "yes"}
