"""L-BFGS on the whole cost of a network."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from xpfit.backends import Backend, get_backend
from xpfit.core.fit import fit_linear_model
from xpfit.core.losses import HALF_BINOMIAL
from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    LayerNorm,
    Network,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
)
from xpfit.core.network.fit_lbfgs import fit_network_lbfgs
from xpfit.core.network.objective import NetworkObjective

NUMPY = get_backend("numpy")
SLOW = "operation by operation on JAX: half a minute each, and NumPy runs the same"
N, D = 151, 4
LOGISTIC = Network(D, (Affine(1, "zeros"),), SigmoidCrossEntropy())
NETWORKS = {
    "logistic": LOGISTIC,
    "classes": Network(D, (Affine(5), Tanh(), Affine(3)), SoftmaxCrossEntropy()),
    "values": Network(D, (Affine(4, "xavier"), Tanh(), Affine(2)), SquaredError()),
}


def data(network: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(N, D)) + np.asarray([0.0, 0.5, 0.0, -0.5])
    signal = X @ rng.normal(size=(D, 3)) + rng.gumbel(size=(N, 3))
    y: np.ndarray = signal.argmax(axis=1)
    if isinstance(network.output, SigmoidCrossEntropy):
        y = (signal[:, :1] > 0).astype(np.float64)
    if isinstance(network.output, SquaredError):
        y = np.sin(signal[:, :2])
    return X, y, rng.uniform(0.2, 2.0, N)


def fitted(backend: Backend, name: str, dtype: Any = np.float64, **options: Any) -> Any:
    X, y, weight = data(NETWORKS[name])
    settings = {"l2_reg_strength": 0.05, "max_iter": 2000, "tol": 1e-8, **options}
    return fit_network_lbfgs(
        backend.from_numpy(X.astype(dtype)), backend.from_numpy(y), NETWORKS[name],
        backend=backend, sample_weight=backend.from_numpy(weight), **settings,
    )  # fmt: skip


def scipy_cost(name: str) -> float:
    X, y, weight = data(NETWORKS[name])
    objective = NetworkObjective(X, y, weight, NETWORKS[name], NUMPY, 0.05)
    start = NETWORKS[name].initial(np.random.default_rng(0))
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 0.0, "gtol": 1e-9}
    found = scipy.optimize.minimize(
        objective.value_gradient, start, jac=True, method="L-BFGS-B", options=options
    )
    return float(found.fun)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_gradient_comes_down_to_the_tolerance(backend: Backend, name: str) -> None:
    if backend.compiles and not backend.kernels:
        pytest.skip(SLOW)
    result = fitted(backend, name)
    assert result.converged, result.message
    assert result.gradient_norm <= 1e-8
    assert result.theta.shape == (NETWORKS[name].n_parameters,)
    losses = [record.loss for record in result.history]
    assert losses[-1] < losses[0]
    assert result.n_passes <= 3 * result.n_iter + 3


def test_the_minimum_is_that_of_scipy() -> None:
    assert fitted(NUMPY, "logistic").loss == pytest.approx(scipy_cost("logistic"), rel=1e-10)


def test_without_hidden_layers_it_is_logistic_regression(backend: Backend) -> None:
    if backend.compiles and not backend.kernels:
        pytest.skip(SLOW)
    X, y, weight = data(LOGISTIC)
    expected = fit_linear_model(
        X, y[:, 0], sample_weight=weight, loss=HALF_BINOMIAL, backend=NUMPY, solver="newton",
        l2_reg_strength=0.05, tol=1e-12,
    )  # fmt: skip
    result = fitted(backend, "logistic", tol=1e-11)
    theta = backend.to_numpy(result.theta)
    np.testing.assert_allclose(theta[:D], np.ravel(expected.W), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(theta[D:], np.ravel(expected.b), rtol=1e-8, atol=1e-8)
    assert result.loss == pytest.approx(expected.result.loss, rel=1e-8)


def test_the_gradient_is_that_of_the_cost(backend: Backend) -> None:
    network = Network(D, (Affine(4), LayerNorm(), GELU(), Affine(2)), SquaredError())
    X, y, weight = (backend.from_numpy(array) for array in data(network))
    objective = NetworkObjective(X, y, weight, network, backend, 0.3)
    rng = np.random.default_rng(5)
    theta, along = network.initial(rng), rng.normal(size=network.size)

    def cost(t: float) -> float:
        return objective.value_gradient(backend.from_numpy(theta + t * along))[0]

    h = 1e-5  # rows that layer normalization nearly divides by 0 bend within 1e-3
    slope = (8 * (cost(h) - cost(-h)) - (cost(2 * h) - cost(-2 * h))) / (12 * h)
    gradient = backend.to_numpy(objective.value_gradient(backend.from_numpy(theta))[1])
    assert gradient @ along == pytest.approx(slope, rel=1e-6)


def test_float32_stops_where_its_precision_ends(jax_backend: Backend) -> None:
    result = fitted(jax_backend, "classes", np.float32, tol=1e-9)
    assert result.theta.dtype == np.float32
    assert result.converged, result.message
    assert result.gradient_norm < 1e-3


def test_a_sparse_matrix_is_read_as_it_is() -> None:
    X, y, _ = data(LOGISTIC)
    X = np.where(X > 0.5, X, 0.0)
    options: dict[str, Any] = {"backend": NUMPY, "l2_reg_strength": 0.01, "tol": 1e-9}
    dense = fit_network_lbfgs(X, y, LOGISTIC, **options)
    sparse = fit_network_lbfgs(scipy.sparse.csr_array(X), y, LOGISTIC, **options)
    np.testing.assert_allclose(sparse.theta, dense.theta, rtol=1e-7)


def test_blocks_of_rows_add_up() -> None:
    in_blocks = dataclasses.replace(NUMPY, block_bytes=1)
    whole, blocks = (
        NetworkObjective(*data(NETWORKS["classes"]), NETWORKS["classes"], backend)
        for backend in (dataclasses.replace(NUMPY, block_bytes=None), in_blocks)
    )
    theta = NETWORKS["classes"].initial(np.random.default_rng(0))
    np.testing.assert_allclose(
        blocks.value_gradient(theta)[1], whole.value_gradient(theta)[1], rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("layer", [Dropout(0.2), BatchNorm()])
def test_layers_without_a_cost_of_all_rows_are_refused(layer: Any) -> None:
    network = Network(D, (Affine(3), layer, Affine(1)), SquaredError())
    X, y = np.ones((5, D)), np.ones((5, 1))
    with pytest.raises(ValueError, match=f"{type(layer).__name__}.* train by mini-batches"):
        fit_network_lbfgs(X, y, network, backend=NUMPY)


def test_nan_in_a_column_is_named(backend: Backend) -> None:
    X, y, _ = data(LOGISTIC)
    X[7, 2] = np.nan
    with pytest.raises(ValueError, match="column 2"):
        fit_network_lbfgs(backend.from_numpy(X), backend.from_numpy(y), LOGISTIC, backend=backend)


def test_callbacks_read_the_arrays_of_the_layers_and_may_stop() -> None:
    shapes: list[Any] = []

    def watch(record: Any) -> bool:
        shapes.append([array.shape for array in record.coefficients()])
        return record.iteration == 2

    result = fitted(NUMPY, "classes", callbacks=[watch])
    assert result.stop_reason == "stopped by callback"
    assert shapes == [[(D, 5), (5,), (5, 3), (3,)]] * 3


def test_running_out_of_iterations_is_said() -> None:
    result = fitted(NUMPY, "classes", max_iter=3)
    assert not result.converged
    assert "max_iter" in result.message


def test_a_second_fit_on_jax_compiles_nothing(
    jax_backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    import jax

    fitted(jax_backend, "classes")
    caplog.clear()
    with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
        fitted(jax_backend, "classes", l2_reg_strength=0.02)
    assert [r for r in caplog.records if r.getMessage().startswith("Compiling")] == []
