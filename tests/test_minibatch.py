"""Epochs of mini-batch descent: every backend takes the steps of a plain loop over batches."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from xpfit.backends import Backend, get_backend
from xpfit.core.loss import PointwiseLoss
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    huber,
)
from xpfit.core.minibatch import begin, minibatch_epoch, plan_epoch
from xpfit.core.optimizers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Optimizer,
    PolyakAverage,
    RMSProp,
    apply_updates,
    clip_by_global_norm,
)
from xpfit.core.passes import loss_gradient
from xpfit.core.schedules import Cosine

NUMPY = get_backend("numpy")
L2 = 0.02
OPTIMIZERS = [
    SGD(0.1),
    SGD(0.1, weight_decay=0.01),
    SGD(0.05, momentum=0.9),
    SGD(0.05, momentum=0.9, dampening=0.5),
    SGD(0.05, momentum=0.9, nesterov=True),
    SGD(0.05, momentum=0.9, nesterov="lookahead"),
    AdaGrad(0.1),
    RMSProp(0.01, centered=True),
    Adam(0.02),
    Adam(0.02, amsgrad=True),
    AdamW(Cosine(0.05, period=7)),
]
LOSSES = [
    HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_POISSON, HALF_SQUARED_ERROR, SQUARED_HINGE, huber(0.5),
]  # fmt: skip


def data(n: int, d: int, loss: Any = HALF_BINOMIAL) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n + d)
    X = rng.normal(size=(n, d))
    if loss.is_multiclass:
        y: np.ndarray = (X @ rng.normal(size=(d, 3)) + rng.gumbel(size=(n, 3))).argmax(axis=1)
    else:
        y = (X[:, 0] + rng.normal(size=n) > 0).astype(float)
    weight = rng.uniform(0.2, 2.0, size=n)
    return X, y, weight / weight.mean()


def plain_loop(
    X: Any, y: np.ndarray, weight: Any, orders: list[np.ndarray], batch_size: int,
    optimizer: Optimizer, loss: Any, K: int, max_norm: float, average_from: int | None,
) -> tuple[np.ndarray, np.ndarray, list[float]]:  # fmt: skip
    """The same by the public functions of optimizers and passes: a batch after the other."""
    d = X.shape[1]
    theta = np.zeros((d + 1, K))
    state, losses, mean = optimizer.init(theta), [], PolyakAverage(average_from or 1)
    averaged = mean.init(theta)
    for order in orders:
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            at = optimizer.lookahead(theta, state)
            own = None if weight is None else weight[rows]
            sums = loss_gradient(
                X[rows], y[rows], own, at[:d], at[d], loss, backend=NUMPY, fused=False
            )
            losses.append(float(sums.loss) / len(rows))
            gradient = np.vstack([sums.grad_W / len(rows) + L2 * at[:d], sums.grad_b / len(rows)])
            if math.isfinite(max_norm):
                gradient = clip_by_global_norm(gradient, max_norm)[0]
            updates, state = optimizer.update(gradient, state, theta)
            theta = apply_updates(theta, updates)
            averaged = mean.update(theta, averaged)
    return theta, averaged.average, losses


def epochs(
    backend: Backend, X: Any, y: np.ndarray, weight: Any, orders: list[np.ndarray],
    batch_size: int, optimizer: Optimizer, loss: Any, K: int, max_norm: float = math.inf,
    average_from: int | None = None, fused: bool | None = None,
) -> tuple[np.ndarray, np.ndarray | None, list[float]]:  # fmt: skip
    here = backend.from_numpy
    X_there = X if scipy.sparse.issparse(X) else here(X)
    weight_there = None if weight is None else here(weight)
    progress = begin(
        optimizer, here(np.zeros((X.shape[1] + 1, K))), average=average_from is not None
    )
    losses: list[float] = []
    for order in orders:
        plan = plan_epoch(
            optimizer, len(order), batch_size, steps_taken=len(losses), average_from=average_from,
            l2_reg_strength=L2, max_norm=max_norm,
        )  # fmt: skip
        progress, found = minibatch_epoch(
            X_there, here(y), weight_there, order, progress, plan, loss, backend=backend,
            fused=fused,
        )  # fmt: skip
        losses += found.tolist()
    average = None if progress.average is None else backend.to_numpy(progress.average)
    return backend.to_numpy(progress.theta), average, losses


def check(
    backend: Backend, X: Any, y: np.ndarray, weight: Any, batch_size: int, **more: Any
) -> Any:
    options: dict[str, Any] = {
        "optimizer": Adam(0.02), "loss": HALF_BINOMIAL, "K": 1, "max_norm": math.inf,
        "average_from": None, **more,
    }  # fmt: skip
    orders = [np.random.default_rng(seed).permutation(X.shape[0]) for seed in range(3)]
    theta, average, losses = plain_loop(X, y, weight, orders, batch_size, **options)
    found = epochs(backend, X, y, weight, orders, batch_size, **options)
    np.testing.assert_allclose(found[0], theta, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(found[2], losses, rtol=1e-9, atol=1e-12)
    if options["average_from"] is not None:
        np.testing.assert_allclose(found[1], average, rtol=1e-9, atol=1e-11)
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_optimizer(backend: Backend, optimizer: Optimizer) -> None:
    X, y, weight = data(53, 4)
    check(backend, X, y, weight, 8, optimizer=optimizer)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_every_loss(backend: Backend, loss: Any) -> None:
    X, y, weight = data(53, 4, loss)
    check(backend, X, y, weight, 8, loss=loss, K=3 if loss.is_multiclass else 1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [1, 2, 52, 53, 1000])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_every_batch_size(backend: Backend, loss: Any, batch_size: int, weighted: bool) -> None:
    X, y, weight = data(53, 4, loss)
    K = 3 if loss.is_multiclass else 1
    check(backend, X, y, weight if weighted else None, batch_size, loss=loss, K=K)


def test_batches_larger_than_a_block_and_more_classes_than_columns(backend: Backend) -> None:
    X, y, weight = data(203, 2, HALF_MULTINOMIAL)
    check(backend, X, y, weight, 100, loss=HALF_MULTINOMIAL, K=3)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_clipping_and_averaging(backend: Backend, batch_size: int) -> None:
    X, y, weight = data(53, 4)
    check(backend, X, y, weight, batch_size, max_norm=0.3, average_from=5, optimizer=SGD(0.3))


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int64", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_x_is_read_as_it_is_stored(dtype: str, order: str, batch_size: int) -> None:
    X, y, weight = data(53, 4)
    stored = np.asarray((np.abs(X) * 3).astype(dtype), order=order)
    for name in ("numpy", "numba"):
        check(get_backend(name), stored, y, weight, batch_size)


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_sparse_rows(loss: Any, batch_size: int) -> None:
    X, y, weight = data(53, 9, loss)
    sparse = scipy.sparse.csr_matrix(np.where(np.abs(X) > 1.0, X, 0.0))
    K = 3 if loss.is_multiclass else 1
    for name in ("numpy", "numba"):
        check(get_backend(name), sparse, y, weight, batch_size, loss=loss, K=K)


def _log_cosh(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    return scale * xp.log(xp.cosh(raw_prediction - y))


def _tanh(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    return scale * xp.tanh(raw_prediction - y)


def _curved(xp: Any, y: Any, raw_prediction: Any, scale: Any) -> Any:
    return scale * (1.0 - xp.tanh(raw_prediction - y) ** 2)


def test_a_loss_and_an_optimizer_of_ones_own(backend: Backend) -> None:
    def sign_rule(xp: Any, gradient: Any, parameter: Any, learning_rate: Any) -> tuple[Any, ...]:
        return (-learning_rate * gradient / (xp.abs(gradient) + 1.0),)

    @dataclasses.dataclass(frozen=True)
    class SoftSign(Optimizer):
        learning_rate: float = 0.1
        rule = staticmethod(sign_rule)
        initial_slots = ()

        def scalars(self, step: Any, learning_rate: Any) -> tuple[Any, ...]:
            return (learning_rate,)

    loss = PointwiseLoss("log_cosh", _log_cosh, _tanh, _curved, parameters=(0.7,))
    X, y, weight = data(53, 4)
    check(backend, X, y, weight, 8, loss=loss, optimizer=SoftSign())


def test_rows_that_are_left_out_are_not_read(backend: Backend) -> None:
    X, y, _ = data(53, 4)
    X[7] = np.nan
    orders = [np.delete(np.random.default_rng(0).permutation(53), 7)]
    orders[0] = orders[0][orders[0] != 7]
    for batch_size in (1, 4, 8, 53):
        theta, _, _ = epochs(backend, X, y, None, orders, batch_size, SGD(0.1), HALF_BINOMIAL, 1)
        assert np.isfinite(theta).all()


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_first_loss_that_is_no_number_is_told(backend: Backend, batch_size: int) -> None:
    X, y, _ = data(53, 4, HALF_SQUARED_ERROR)
    orders = [np.random.default_rng(seed).permutation(53) for seed in range(40)]
    with np.errstate(over="ignore", invalid="ignore"):
        options = (batch_size, SGD(1e6), HALF_SQUARED_ERROR, 1)
        _, _, expected = epochs(NUMPY, X, y, None, orders, *options, fused=False)
        _, _, losses = epochs(backend, X, y, None, orders, *options)
    first = np.flatnonzero(~np.isfinite(expected))[0]
    assert 0 < first < len(expected) - 1
    assert np.flatnonzero(~np.isfinite(losses))[0] == first


@pytest.mark.parametrize("name", ["numba", "jax"])
def test_an_epoch_is_one_call(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend(name)
    kernel, calls = backend.kernels["minibatch_epoch"], []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return kernel.call(*arguments)

    watched = dataclasses.replace(
        backend, kernels={"minibatch_epoch": kernel._replace(call=counted)}
    )
    X, y, weight = data(53, 4)
    check(watched, X, y, weight, 8)
    assert len(calls) == 3


def test_another_number_of_rows_compiles_nothing_on_jax(jax_backend: Backend) -> None:
    from xpfit.backends import jax_epoch
    from xpfit.core.buckets import Rows, in_bucket

    def run(n: int) -> None:
        X, y, _ = data(n, 5)
        rows = in_bucket(jax_backend, Rows(*map(jax_backend.from_numpy, (X, y)), None), None)
        progress = begin(Adam(), jax_backend.from_numpy(np.zeros((6, 1))))
        plan = plan_epoch(Adam(), n, 4)
        minibatch_epoch(
            *rows, np.random.default_rng(0).permutation(n), progress, plan, HALF_BINOMIAL,
            backend=jax_backend,
        )  # fmt: skip

    run(500)
    n_programs = jax_epoch._epoch._cache_size()
    run(490)
    run(512)
    assert jax_epoch._epoch._cache_size() == n_programs


def test_a_schedule_of_ones_own_may_know_one_step_at_a_time() -> None:
    plan = plan_epoch(SGD(lambda step: 0.1 if step < 3 else 0.01), 5, 1)
    assert plan.scalars[:, 0].tolist() == [0.1, 0.1, 0.1, 0.01, 0.01]
