"""Training networks: stopping, what is kept, what is said where it fails."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from network_fits import CLASSES, CODES, NOISY, NUMPY, X, fit, rng

from xpfit.backends import Backend, get_backend
from xpfit.core.epoch_options import EpochOptions
from xpfit.core.network import (
    Affine,
    BatchNorm,
    LayerNorm,
    Network,
    ReLU,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
)
from xpfit.core.network.fit import fit_network
from xpfit.core.network.predict import mean_loss, predict, predict_raw
from xpfit.core.optimizers import SGD, Adam
from xpfit.core.standing import Snapshot


def test_it_learns_on_every_backend(backend: Backend) -> None:
    found = fit(backend=backend, max_iter=30)
    assert found.theta.dtype == np.float64
    theta, rows = backend.from_numpy(found.theta), backend.from_numpy(X)
    shares = np.asarray(backend.to_numpy(predict(CLASSES, theta, rows, backend=backend)))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-12)
    assert (shares.argmax(axis=1) == CODES).mean() > 0.9
    losses = [record.loss for record in found.result.history]
    assert losses[-1] < 0.5 * losses[0]
    np.testing.assert_allclose(found.theta, fit(max_iter=30).theta, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int32, bool])
def test_x_is_read_as_it_is_stored(dtype: Any) -> None:
    stored = (np.abs(X) * 50).astype(dtype)
    found, same = fit(X=stored), fit(X=stored.astype(np.float64))
    np.testing.assert_array_equal(found.theta, same.theta)


def test_float32_is_the_default_and_keeps_little_memory() -> None:
    stored = rng.integers(0, 255, size=(4000, 500)).astype(np.uint8)
    network = Network(500, (Affine(4), ReLU(), Affine(1)), SigmoidCrossEntropy())
    y = (stored[:, :1] > 100).astype(np.float32)
    tracemalloc.start()
    found = fit_network(
        stored, y, network=network, backend=NUMPY, optimizer=Adam(), rng=np.random.default_rng(0),
        options=EpochOptions(batch_size=50, max_iter=1, tol=None),
    )  # fmt: skip
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.theta.dtype == np.float32
    # A whole copy of X in float32 would be 8 MB; a batch of it is 0.1 MB.
    assert peak < 0.25 * 4 * stored.size


def test_csr_is_read_batch_by_batch() -> None:
    dense = np.where(np.abs(X) > 0.8, X, 0.0)
    np.testing.assert_allclose(
        fit(X=sp.csr_matrix(dense)).theta, fit(X=dense).theta, rtol=1e-9, atol=1e-12
    )
    raw = predict_raw(CLASSES, fit().theta, sp.csr_matrix(dense), backend=NUMPY)
    np.testing.assert_allclose(raw, predict_raw(CLASSES, fit().theta, dense, backend=NUMPY))


def test_weights_of_zero_leave_rows_out() -> None:
    weight = (np.arange(203) < 160).astype(np.float64)
    whole = {"batch_size": 203, "max_iter": 20}
    alone = fit(X=X[:160], y=CODES[:160], batch_size=160, max_iter=20)
    found = fit(sample_weight=weight, **whole)
    np.testing.assert_allclose(found.theta, alone.theta, rtol=1e-9, atol=1e-12)
    # Weights count as shares: twice of all is the same.
    np.testing.assert_allclose(fit(sample_weight=2.0 * weight, **whole).theta, found.theta)


def test_penalties_spare_biases() -> None:
    plain, shrunk = fit(max_iter=60), fit(max_iter=60, l2_reg_strength=0.5)
    for place in CLASSES.places:
        own = slice(place.start, place.stop)
        if place.penalized:
            assert np.abs(shrunk.theta[own]).sum() < 0.5 * np.abs(plain.theta[own]).sum()
    sparse = fit(optimizer=SGD(0.1), max_iter=60, l1_reg_strength=0.05)
    W, b = CLASSES.unpack(sparse.theta)[:2]
    assert (W == 0.0).mean() > 0.5
    assert (b != 0.0).any()
    loss = mean_loss(CLASSES, sparse.theta, X, CODES, None, backend=NUMPY)
    weights = np.concatenate([leaf.ravel() for leaf in CLASSES.unpack(sparse.theta)[::2]])
    last = sparse.result.history[-1].loss
    assert last == pytest.approx(loss + 0.05 * np.abs(weights).sum(), rel=0.1)


def test_the_best_epoch_is_kept_where_rows_are_held_out() -> None:
    held_out = np.arange(0, 203, 5)
    found = fit(held_out=held_out, max_iter=300, tol=0.0, n_iter_no_change=15, optimizer=Adam(0.05))
    assert found.result.stop_reason == "no improvement"
    best = min(found.validation_losses)
    assert best < found.validation_losses[-1]
    loss = mean_loss(CLASSES, found.theta, X[held_out], CODES[held_out], None, backend=NUMPY)
    assert loss == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("network", [CLASSES, NOISY], ids=["plain", "noisy"])
@pytest.mark.parametrize("average_from", [None, 10])
def test_a_fit_goes_on_from_a_snapshot_bit_for_bit(
    network: Network, average_from: int | None
) -> None:
    saved: list[Snapshot] = []
    whole = fit(network, max_iter=6, average_from=average_from)
    fit(network, max_iter=2, keep=saved.append, average_from=average_from)
    rest = fit(network, max_iter=6, saved=saved[-1], average_from=average_from)
    np.testing.assert_array_equal(rest.theta, whole.theta)
    assert [r.loss for r in rest.result.history] == [r.loss for r in whole.result.history]


def test_dropout_and_batch_norm_are_for_training_only() -> None:
    found = fit(NOISY, max_iter=20)
    once, again = (predict_raw(NOISY, found.theta, X, backend=NUMPY) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    # A row's prediction does not depend on the rows beside it.
    np.testing.assert_allclose(predict_raw(NOISY, found.theta, X[:1], backend=NUMPY), once[:1])
    assert found.result.history[-1].loss < found.result.history[0].loss


def test_several_targets_and_labels() -> None:
    target = np.stack([X[:, 0] * X[:, 1], np.sin(X[:, 2])], axis=1)
    network = Network(6, (Affine(24, "xavier"), Tanh(), LayerNorm(), Affine(2)), SquaredError())
    found = fit(network, y=target, max_iter=150)
    assert found.result.loss < 0.3 * 0.5 * float((target**2).sum(axis=1).mean())
    labels = (target > 0).astype(np.float64)
    network = Network(6, (Affine(24), ReLU(), Affine(2)), SigmoidCrossEntropy())
    found = fit(network, y=labels, max_iter=60)
    shares = predict(network, found.theta, X, backend=NUMPY)
    assert ((shares > 0.5) == labels).mean() > 0.9


def test_callbacks_see_the_arrays_of_the_layers_and_can_stop() -> None:
    seen: list[Any] = []

    def watch(record: Any) -> bool:
        seen.append(record.coefficients())
        return len(seen) == 2

    found = fit(callbacks=[watch])
    assert found.result.stop_reason == "stopped by callback"
    assert [leaf.shape for leaf in seen[0]] == [(6, 12), (12,), (12, 3), (3,)]
    np.testing.assert_array_equal(np.concatenate([a.ravel() for a in seen[1]]), found.theta)


class _Steep(ReLU):
    """A built-in layer's name with a derivative of its own."""

    def derivative(self, xp: Any, kept: Any) -> Any:
        return 3.0 * super().derivative(xp, kept)


def test_a_subclass_is_not_taken_for_the_layer_whose_name_it_has() -> None:
    own = Network(6, (Affine(12), _Steep(), Affine(3, "xavier")), SoftmaxCrossEntropy())
    assert CLASSES.is_built_in
    assert not own.is_built_in
    plain = {"optimizer": SGD(0.1)}  # to Adam the size of a gradient is nothing
    found = fit(own, backend=get_backend("numba"), **plain)
    np.testing.assert_array_equal(found.theta, fit(own, **plain).theta)
    assert np.abs(found.theta - fit(**plain).theta).max() > 1e-3


@pytest.mark.parametrize("name", ["numpy", "numba", "jax"])
def test_a_batch_of_one_row_keeps_the_running_variance(name: str) -> None:
    network = Network(6, (BatchNorm(), Affine(3)), SoftmaxCrossEntropy())
    # The last batch is one row.
    rows = {"X": X[:33], "y": CODES[:33], "batch_size": 32, "max_iter": 1}
    found = fit(network, backend=get_backend(name), **rows)
    order = np.random.default_rng(1)
    network.initial(order)
    first = X[order.permutation(33)[:32]]
    variance = network.unpack(found.theta)[-1]
    np.testing.assert_allclose(variance, 0.9 + 0.1 * first.var(axis=0, ddof=1), rtol=1e-12)
