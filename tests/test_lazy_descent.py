"""Plain descent on CSR with Numba visits the nonzeros of a batch alone, and goes where the generic
engine goes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from xpfit.backends import get_backend, numba_epoch
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, HALF_SQUARED_ERROR
from xpfit.core.minibatch import Progress, begin, minibatch_epoch, plan_epoch
from xpfit.core.optimizers import SGD, Adam
from xpfit.core.schedules import Cosine

N, D = 60, 400
LOSSES = {1: HALF_BINOMIAL, 3: HALF_MULTINOMIAL}


@pytest.fixture
def lazily(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the epochs that are lazy."""
    calls, plain = [], numba_epoch._lazy_epoch

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return plain(*arguments)

    monkeypatch.setattr(numba_epoch, "_lazy_epoch", counted)
    return calls


def text(K: int = 1, per_row: int = 5) -> tuple[Any, np.ndarray, np.ndarray]:
    """Rows with few nonzeros; one of them is empty, and one names a column twice."""
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(N), per_row)
    columns = rng.integers(0, D, N * per_row)
    columns[:per_row] = 7
    data = rng.normal(size=N * per_row)
    data[per_row : 2 * per_row] = 0.0
    indptr = np.arange(0, N * per_row + 1, per_row)
    X = scipy.sparse.csr_matrix((data, columns, indptr), shape=(N, D))
    assert not X.has_canonical_format
    direction = rng.normal(size=(D, K))
    raw = X @ direction + 0.3 * rng.gumbel(size=(N, K))
    y = (raw[:, 0] > 0.0).astype(float) if K == 1 else raw.argmax(axis=1)
    weight = rng.uniform(0.2, 2.0, size=rows.max() + 1)
    return X, y, weight / weight.mean()


def descend(
    name: str, data: Any, optimizer: Any, K: int, *, batch_size: int = 1, n_epochs: int = 5,
    fit_intercept: bool = True, average: bool = False, loss: Any = None, **plan_options: Any,
) -> tuple[Progress, np.ndarray]:  # fmt: skip
    X, y, weight = data
    theta = np.random.default_rng(9).normal(size=(D + fit_intercept, K))
    progress, losses = begin(optimizer, theta, average=average), []
    for epoch in range(n_epochs):
        order = np.random.default_rng(epoch).permutation(N)
        plan = plan_epoch(
            optimizer, N, batch_size, steps_taken=epoch * -(-N // batch_size), **plan_options
        )
        progress, found = minibatch_epoch(
            X, y, weight, order, progress, plan, loss or LOSSES[K], backend=get_backend(name),
            fused=name != "numpy",
        )  # fmt: skip
        losses.append(found)
    return progress, np.concatenate(losses)


def check(data: Any, optimizer: Any, K: int, **options: Any) -> Any:
    expected, losses = descend("numpy", data, optimizer, K, **options)
    found, own_losses = descend("numba", data, optimizer, K, **options)
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(own_losses, losses, rtol=1e-8, atol=1e-12)
    assert (found.average is None) == (expected.average is None)
    if expected.average is not None:
        np.testing.assert_allclose(found.average, expected.average, rtol=1e-8, atol=1e-10)
    return expected


@pytest.mark.parametrize("K", LOSSES)
@pytest.mark.parametrize("batch_size", [1, 2, 7, 59])
@pytest.mark.parametrize("optimizer", [
    SGD(0.3), SGD(Cosine(0.3, period=100)), SGD(0.1, weight_decay=0.3),
], ids=str)  # fmt: skip
def test_every_rate_and_batch_size(
    optimizer: SGD, batch_size: int, K: int, lazily: list[int]
) -> None:
    check(text(K), optimizer, K, batch_size=batch_size, l2_reg_strength=0.05)
    assert len(lazily) == 5


@pytest.mark.parametrize("K", LOSSES)
@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("max_norm", [1e-3, 0.3, 0.9])
def test_clipping(max_norm: float, l2: float, K: int, lazily: list[int]) -> None:
    options: Any = {"max_norm": max_norm, "l2_reg_strength": l2, "average": True, "average_from": 9}
    clipped = check(text(K), SGD(0.3), K, batch_size=2, **options)
    assert len(lazily) == 5
    free, _ = descend("numpy", text(K), SGD(0.3), K, batch_size=2, l2_reg_strength=l2)
    assert np.abs(clipped.theta - free.theta).max() > 1e-3


@pytest.mark.parametrize("K", LOSSES)
@pytest.mark.parametrize("average_from", [1, 30, 61, 150, 10_000])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_averages_from_any_step_on(
    batch_size: int, average_from: int, K: int, lazily: list[int]
) -> None:
    options: Any = {"average": True, "average_from": average_from, "l2_reg_strength": 0.05}
    check(text(K), SGD(0.3), K, batch_size=batch_size, **options)
    assert len(lazily) == 5


@pytest.mark.parametrize("max_norm", [0.5, math.inf])
@pytest.mark.parametrize("pull", [0.5, 0.99, 1.0, 1.0 + 1e-12, 1.7, 2.0])
def test_penalties_that_take_all_of_a_coefficient(pull: float, max_norm: float) -> None:
    rate = 0.25
    options: Any = {"average": True, "average_from": 3, "max_norm": max_norm}
    check(text(), SGD(rate), 1, l2_reg_strength=pull / rate, **options)


def test_without_intercepts_and_with_rows_left_out() -> None:
    for K in LOSSES:
        check(text(K), SGD(0.3), K, fit_intercept=False, average=True, average_from=1)


@pytest.mark.parametrize("average", [False, True])
def test_the_first_loss_that_is_no_number_ends_the_epoch(average: bool) -> None:
    options: Any = {"loss": HALF_SQUARED_ERROR, "n_epochs": 12, "average": average}
    if average:
        options["average_from"] = 1
    with np.errstate(over="ignore", invalid="ignore"):
        _, expected = descend("numpy", text(), SGD(50.0), 1, **options)
        _, found = descend("numba", text(), SGD(50.0), 1, **options)
    first = np.flatnonzero(~np.isfinite(expected))[0]
    assert 0 < first < expected.size - 1
    assert np.flatnonzero(~np.isfinite(found))[0] == first


def test_what_must_visit_every_column_does(lazily: list[int]) -> None:
    check(text(), SGD(0.1, momentum=0.5), 1, l2_reg_strength=0.05)
    check(text(), Adam(0.01), 1, l2_reg_strength=0.05)
    check(text(per_row=40), SGD(0.3), 1, l2_reg_strength=0.05, max_norm=0.5)
    dense = text()[0].toarray(), *text()[1:]
    check(dense, SGD(0.3), 1, l2_reg_strength=0.05)
    assert not lazily
