"""JAX as it starts, in 32 bits: networks of float32 read float64 X that is on the host."""

from __future__ import annotations

from helpers import python_output

CODE = """
import warnings
import numpy as np
from xpfit import MLPClassifier, MLPRegressor
from xpfit.backends import PrecisionError

warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
X, y, weight = rng.normal(size=(60, 3)), np.arange(60) % 3, rng.uniform(size=60)
options = dict(hidden_layer_sizes=(4,), max_iter=2, backend="jax", random_state=0)
for cls, target in ((MLPClassifier, y), (MLPRegressor, X[:, 0])):
    for more in ({}, {"solver": "lbfgs"}):
        wide = cls(**options, **more).fit(X, target, weight)
        narrow = cls(**options, **more).fit(X.astype(np.float32), target, weight)
        assert np.array_equal(wide.theta_, narrow.theta_), (cls, more)
        assert wide.theta_.dtype == np.float32
        assert wide.predict(X).shape == y.shape
    assert cls(**options).fit(X, target).partial_fit(X, target).backend_ == "jax"
    try:
        cls(**options, dtype="float64").fit(X, target)
    except PrecisionError as error:
        print(str(error).partition(", but ")[2])
    huge = X.copy()
    huge[3, 1] = 1e300
    try:
        cls(**options).fit(huge, target)
    except ValueError as error:
        print(error)
"""


def test_float64_x_is_converted_for_a_network_of_float32() -> None:
    lines = python_output(CODE, JAX_ENABLE_X64="").splitlines()
    assert len(lines) == 4
    for refused, beyond, name in zip(
        lines[::2], lines[1::2], ("MLPClassifier", "MLPRegressor"), strict=True
    ):
        assert "JAX is in its 32-bit mode" in refused
        assert "Set JAX_ENABLE_X64=1" in refused
        assert beyond.startswith(f"{name}: X of float64 holds numbers beyond 3.4e38")
        assert "StandardScaler" in beyond
