"""One pass for each backend, dtype and memory order, its generic twin, and mini-batch epochs."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from xpfit.backends import BackendUnavailableError, get_backend
from xpfit.bench.descent_peers import our_epoch
from xpfit.bench.peers import jax_in_64_bits
from xpfit.bench.problems import small_integers
from xpfit.bench.row_pass import our_pass, relative_error
from xpfit.bench.sizes import chosen_size
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL

SHAPE = {"tiny": (3_001, 17), "full": (1_000_000, 64)}
BACKENDS = ["numpy", "numba", "jax", pytest.param("cupy", marks=pytest.mark.gpu)]


def usable(name: str) -> Any:
    """The backend, or a skip with the reason; a failure where CI requires it."""
    try:
        return get_backend(name)
    except BackendUnavailableError as problem:
        if name in os.environ.get("XPFIT_REQUIRED_BACKENDS", "").split(","):
            raise
        pytest.skip(str(problem))


def precision(name: str) -> Any:
    """Float64 for JAX; nothing to do for the others."""
    return jax_in_64_bits() if name == "jax" else nullcontext()


def pass_on(name: str, dtype: str, order: str, fused: bool | None) -> tuple[Any, Any]:
    """The pass on a backend, and the sums that NumPy's generic pass finds in float64."""
    backend = usable(name)
    n_samples, n_features = SHAPE[chosen_size()]
    X = small_integers(n_samples, n_features, dtype, order)
    y = np.random.default_rng(1).integers(0, 2, n_samples).astype(np.float64)
    w = np.random.default_rng(2).standard_normal(n_features) / (255.0 * np.sqrt(n_features))
    numpy = get_backend("numpy")
    expected = our_pass(X.astype(np.float64), y, w, 0.1, numpy, fused=False)()
    compute = backend.compute_dtype(X.dtype)
    run = our_pass(
        backend.from_numpy(X), backend.from_numpy(y.astype(compute)), w.astype(compute),
        compute.type(0.1) if hasattr(compute, "type") else 0.1, backend, fused=fused,
    )  # fmt: skip

    def run_and_wait() -> Any:
        sums = run()
        backend.synchronize(sums)
        return sums

    found = [np.asarray(backend.to_numpy(part), dtype=np.float64) for part in run_and_wait()]
    tolerance = 1e-10 if np.dtype(compute) == np.float64 else 1e-3
    assert relative_error(found, expected) < tolerance
    return run_and_wait, X


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8"])
@pytest.mark.parametrize("name", BACKENDS)
def test_pass_speed(benchmark: Any, name: str, dtype: str, order: str) -> None:
    usable(name)
    with precision(name):
        run, X = pass_on(name, dtype, order, None)
        benchmark.group = f"pass {dtype} {order}"
        benchmark.extra_info["bytes"] = X.nbytes
        benchmark(run)


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_generic_pass_speed(benchmark: Any, name: str) -> None:
    usable(name)
    with precision(name):
        run, _ = pass_on(name, "float64", "C", False)
        benchmark.group = "pass float64 C"
        benchmark(run)


EPOCH_SHAPE = {"tiny": (512, 8), "full": (100_000, 64)}


# On CuPy the smaller batches are one launch an epoch, the larger ones two launches a step.
@pytest.mark.parametrize("batch_size", [32, 8192])
@pytest.mark.parametrize("n_outputs", [1, 10])
@pytest.mark.parametrize("name", BACKENDS[1:])
def test_epoch_speed(benchmark: Any, name: str, n_outputs: int, batch_size: int) -> None:
    usable(name)
    n_samples, n_features = EPOCH_SHAPE[chosen_size()]
    rng = np.random.default_rng(0)
    X, order = rng.standard_normal((n_samples, n_features)), rng.permutation(n_samples)
    if n_outputs == 1:
        y, loss = rng.integers(0, 2, n_samples).astype(np.float64), HALF_BINOMIAL
    else:
        y, loss = rng.integers(0, n_outputs, n_samples), HALF_MULTINOMIAL
    given = X, y, order, batch_size, loss, n_outputs
    run = our_epoch(name, *given)
    assert relative_error([run()], [our_epoch("numpy", *given)()]) < 1e-8
    benchmark.group = f"Adam, one epoch, batches of {batch_size}, {n_outputs} outputs"
    benchmark(run)
