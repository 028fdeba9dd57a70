"""Epochs of networks: every backend takes the steps of the generic loop, from the same bits."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from xpfit.backends import Backend, get_backend
from xpfit.core.minibatch import Progress, begin, plan_epoch
from xpfit.core.network import (
    GELU,
    Affine,
    BatchNorm,
    Dropout,
    LayerNorm,
    LeakyReLU,
    Network,
    ReLU,
    Sigmoid,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
)
from xpfit.core.network.epoch import network_epoch
from xpfit.core.optimizers import SGD, Adam, Optimizer

NUMPY = get_backend("numpy")
N, D, BATCH = 101, 6, 16  # the last batch has 5 rows
N_STEPS = -(-N // BATCH)

SOFTMAX = SoftmaxCrossEntropy()
NETWORKS = {
    "logistic": Network(D, (Affine(1),), SigmoidCrossEntropy()),
    "one hidden": Network(D, (Affine(8), ReLU(), Affine(3)), SOFTMAX),
    "dropout": Network(D, (Affine(8), Tanh(), Dropout(0.3), Affine(3)), SOFTMAX),
    "batch norm": Network(D, (Affine(8), BatchNorm(), LeakyReLU(0.1), Affine(3)), SOFTMAX),
    "layer norm": Network(D, (Affine(8), LayerNorm(), GELU(), Affine(2)), SquaredError()),
    "deep": Network(
        D, (Affine(7), Sigmoid(), Dropout(0.2), Affine(5), Tanh(), Affine(3), ReLU(), Affine(3)),
        SOFTMAX,
    ),
}  # fmt: skip
TOGETHER = {"weighted": True, "l2_reg_strength": 0.01, "max_norm": 0.5, "average_from": 4}
PLANS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights and L2": {"weighted": True, "l2_reg_strength": 0.01},
    "clipped": {"max_norm": 0.1},
    "L1": {"l1_reg_strength": 0.01},
    "together": TOGETHER,
}


def data(network: Network, dtype: Any = np.float64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = (40.0 * rng.random((N, D))).astype(dtype)
    y: np.ndarray = rng.integers(0, 3, N)
    if not isinstance(network.output, SoftmaxCrossEntropy):
        y = rng.integers(0, 2, (N, network.n_outputs)).astype(np.float64)
    weight = rng.uniform(0.2, 2.0, N)
    return X, y, weight / weight.mean()


def trained(
    backend: Backend, network: Network, *, optimizer: Optimizer | None = None, epochs: int = 3,
    weighted: bool = False, fused: bool | None = None, dtype: Any = np.float64, X: Any = None,
    parameters: Any = np.float64, **plan_options: Any,
) -> tuple[Progress, list[np.ndarray]]:  # fmt: skip
    """The progress after some epochs from a fixed seed, on the host, and the losses."""
    optimizer = optimizer or Adam(0.01)
    rows, y, weight = data(network, dtype)
    X = backend.from_numpy(rows) if X is None else X
    y, weight = backend.from_numpy(y), backend.from_numpy(weight) if weighted else None
    rng = np.random.default_rng(7)
    theta = backend.from_numpy(network.initial(rng).astype(parameters))
    now = begin(optimizer, theta, average="average_from" in plan_options)
    losses = []
    for epoch in range(epochs):
        plan = plan_epoch(optimizer, N, BATCH, steps_taken=epoch * N_STEPS, **plan_options)
        order = rng.permutation(N)
        keys = rng.integers(0, 1 << 32, N_STEPS, dtype=np.uint32) if network.is_random else None
        now, found = network_epoch(
            X, y, weight, order, now, plan, keys, network, backend=backend, fused=fused
        )
        losses.append(found)
    host = backend.to_numpy
    average = None if now.average is None else host(now.average)
    return Progress(host(now.theta), tuple(host(slot) for slot in now.slots), average), losses


def assert_same(found: Any, expected: Any, **tolerance: Any) -> None:
    (now, losses), (then, before) = found, expected
    np.testing.assert_allclose(losses, before, **tolerance)
    np.testing.assert_allclose(now.theta, then.theta, **tolerance)
    for slot, old in zip(now.slots, then.slots, strict=True):
        np.testing.assert_allclose(slot, old, **tolerance)
    if then.average is not None:
        np.testing.assert_allclose(now.average, then.average, **tolerance)


@pytest.mark.whole_fit
@pytest.mark.parametrize(
    ("name", "plan"),
    [*((name, "together") for name in NETWORKS), *(("one hidden", plan) for plan in PLANS)],
)
def test_the_same_seed_gives_the_same_network(backend: Backend, name: str, plan: str) -> None:
    options = PLANS[plan]
    expected = trained(NUMPY, NETWORKS[name], fused=False, **options)
    found = trained(backend, NETWORKS[name], **options)
    assert found[0].theta.dtype == np.float64
    assert [one.shape for one in found[1]] == [(N_STEPS,)] * 3
    assert_same(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    [SGD(0.01), SGD(0.01, momentum=0.9, nesterov="lookahead"), Adam(0.01, amsgrad=True)],
)
def test_every_rule_is_followed(backend: Backend, optimizer: Optimizer) -> None:
    network = NETWORKS["one hidden"]
    expected = trained(NUMPY, network, optimizer=optimizer, fused=False)
    found = trained(backend, network, optimizer=optimizer)
    assert_same(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["dropout", "batch norm"])
def test_a_second_run_gives_the_same_bits(backend: Backend, name: str) -> None:
    one, losses = trained(backend, NETWORKS[name], weighted=True)
    other, again = trained(backend, NETWORKS[name], weighted=True)
    np.testing.assert_array_equal(one.theta, other.theta)
    np.testing.assert_array_equal(losses, again)


@pytest.mark.parametrize("stored", [np.uint8, np.float32])
def test_rows_are_read_as_they_are_stored(backend: Backend, stored: Any) -> None:
    network = NETWORKS["one hidden"]
    rows = data(network, stored)[0]
    wide = trained(NUMPY, network, fused=False, X=rows.astype(np.float64))
    assert_same(trained(backend, network, dtype=stored), wide, rtol=1e-6, atol=1e-6)


def test_float32_stays_float32(backend: Backend) -> None:
    network = NETWORKS["layer norm"]
    options = {"dtype": np.float32, "parameters": np.float32, "weighted": True}
    now, losses = trained(backend, network, average_from=3, max_norm=1.0, **options)
    arrays = [now.theta, *now.slots, now.average]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    expected = trained(NUMPY, network, average_from=3, max_norm=1.0, weighted=True)
    np.testing.assert_allclose(losses[0], expected[1][0], rtol=1e-3)


def test_a_sparse_matrix_trains_as_a_dense_one() -> None:
    network = NETWORKS["one hidden"]
    X = scipy.sparse.csr_array(np.where(data(network)[0] > 25.0, data(network)[0], 0.0))
    expected = trained(NUMPY, network, X=X.toarray(), fused=False)
    for backend in (NUMPY, get_backend("numba")):
        assert_same(trained(backend, network, X=X), expected, rtol=1e-9, atol=1e-9)


def test_a_loss_that_is_not_finite_is_reported(backend: Backend) -> None:
    with np.errstate(all="ignore"):
        _, losses = trained(backend, NETWORKS["layer norm"], optimizer=SGD(1e200), epochs=1)
    assert math.isfinite(losses[0][0])
    assert not np.isfinite(losses[0]).all()


def test_a_batch_may_hold_more_rows_than_there_are(backend: Backend) -> None:
    network = NETWORKS["one hidden"]
    X, y, _ = data(network)
    optimizer, order = SGD(0.01), np.arange(N)

    def step(on: Backend, fused: bool | None) -> np.ndarray:
        start = begin(optimizer, on.from_numpy(network.initial(np.random.default_rng(0))))
        now, losses = network_epoch(
            on.from_numpy(X), on.from_numpy(y), None, order, start,
            plan_epoch(optimizer, N, 500), None, network, backend=on, fused=fused,
        )  # fmt: skip
        assert losses.shape == (1,)
        return np.asarray(on.to_numpy(now.theta))

    np.testing.assert_allclose(step(backend, None), step(NUMPY, False), rtol=1e-9)


def test_jax_compiles_an_epoch_once(jax_backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    import jax

    def programs(optimizer: Optimizer, **options: Any) -> int:
        caplog.clear()
        with jax.log_compiles(), caplog.at_level(logging.WARNING, logger="jax"):
            trained(jax_backend, NETWORKS["deep"], optimizer=optimizer, **options)
        return sum("_epoch" in r.getMessage() for r in caplog.records
                   if r.getMessage().startswith("Compiling"))  # fmt: skip

    first = {"l2_reg_strength": 0.3, "max_norm": 0.7, "average_from": 2}
    assert programs(Adam(0.01), **first) == 1
    other = {"l2_reg_strength": 0.1, "max_norm": 0.4, "average_from": 9}
    assert programs(Adam(0.003, beta1=0.8), **other) == 0
    assert programs(Adam(0.003), **{**other, "l2_reg_strength": 0.0}) == 1


def test_rows_gathered_batch_by_batch_are_the_same(
    jax_backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xpfit.backends import jax_network

    network = Network(D, (Affine(9), ReLU(), Affine(3)), SOFTMAX)
    expected = trained(jax_backend, network, weighted=True)
    monkeypatch.setattr(jax_network, "ORDERED_BYTES", 0)
    jax_network._epoch.clear_cache()
    assert_same(trained(jax_backend, network, weighted=True), expected, rtol=1e-12, atol=1e-12)
