"""JAX arrays on a device that is not the default one, and programs for platforms that are not."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import python_output

from xpfit.backends import Backend
from xpfit.backends.jax_blocks import CPU_BLOCK_BYTES, sum_over_blocks

TWO_DEVICES = {
    "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    "JAX_ENABLE_X64": "1",
    "JAX_PLATFORMS": "cpu",
}

SECOND_DEVICE = """
import jax, numpy as np, xpfit
second = jax.devices()[1]
for estimator, n, d, K, options in {fits}:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = np.argmax(X[:, :K] + rng.gumbel(size=(n, K)), axis=1)
    weight = rng.uniform(size=n)
    model = getattr(xpfit, estimator)
    expected = model(backend="numpy", **options).fit(X, y, sample_weight=weight)
    there = [jax.device_put(a, second) for a in (X, y, weight)]
    found = model(**options).fit(there[0], there[1], sample_weight=there[2])
    assert found.backend_ == "jax"
    message = f"{estimator} {n} {d} {K} {options}"
    np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-6, atol=1e-9, err_msg=message)
    assert found.predict(there[0]).devices() == {second}, message
    assert jax.config.jax_default_device is None, message
    print("ok")
"""
LBFGS = {"solver": "lbfgs", "tol": 1e-9}


# One process for several: a third of the time of one each was starting.
@pytest.mark.parametrize(
    "fits",
    [
        [  # Whole samples, joint samples, one Gram matrix for all classes.
            ("LogisticRegression", 1000, 5, 2, LBFGS),
            ("LogisticRegression", 9000, 20, 3, {**LBFGS, "class_weight": "balanced"}),
            ("LogisticRegression", 1000, 12, 4, LBFGS),
        ],
        [
            ("LogisticRegression", 400, 5, 3, {"solver": "newton", "tol": 1e-9}),
            ("Ridge", 400, 5, 3, {}),
            ("HuberRegressor", 400, 5, 3, {"tol": 1e-9}),
        ],
    ],
    ids=["lbfgs", "others"],
)
def test_fits_stay_on_the_device_of_x(jax_backend: Backend, fits: Any) -> None:
    found = python_output(SECOND_DEVICE.replace("{fits}", repr(fits)), **TWO_DEVICES)
    assert found.split() == ["ok"] * len(fits)


def _loop_sizes(platform: str, X: Any) -> str:
    def column_sums(X: Any) -> Any:
        return sum_over_blocks(lambda X: jnp.sum(X.astype(jnp.float64), axis=0), jnp.float64, X)

    lowered = jax.jit(column_sums).trace(X).lower(lowering_platforms=(platform,))
    return str(lowered.as_text())


def test_the_size_of_blocks_is_that_of_the_platform(jax_backend: Backend) -> None:
    n_features = 16
    on_cpu = CPU_BLOCK_BYTES // (8 * n_features)
    X = jnp.asarray(np.random.default_rng(0).integers(0, 99, (3 * on_cpu + 5, n_features)))
    block = f"tensor<{on_cpu}x{n_features}xi64>"
    assert block in _loop_sizes("cpu", X)
    assert block not in _loop_sizes("cuda", X)
    sums = sum_over_blocks(lambda X: jnp.sum(X, axis=0), jnp.float64, X)
    np.testing.assert_array_equal(np.asarray(sums), np.asarray(X).sum(axis=0))


SPREAD = """
import jax, numpy as np, xpfit
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from xpfit.backends import MixedBackendError
spread = NamedSharding(Mesh(np.asarray(jax.devices()), ("rows",)), PartitionSpec("rows"))
X = jax.device_put(np.arange(16.0).reshape(8, 2), spread)
y = jax.device_put(np.arange(8.0), spread)
for estimator in {estimators}:
    try:
        getattr(xpfit, estimator)().fit(X, y)
    except MixedBackendError as error:
        print(estimator, error)
"""


def test_rows_on_several_devices_are_refused(jax_backend: Backend) -> None:
    estimators = ["Ridge", "PoissonRegressor", "HuberRegressor"]
    lines = python_output(SPREAD.replace("{estimators}", repr(estimators)), **TWO_DEVICES)
    for estimator, text in zip(estimators, lines.splitlines(), strict=True):
        assert text.startswith(estimator)
        assert "is spread over several devices" in text
        assert "jax.device_put(X, jax.devices()[0])" in text
