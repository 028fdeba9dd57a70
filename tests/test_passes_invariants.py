"""What holds for the passes whatever the numbers: weights, blocks, slopes, parameters."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import LOSS_NAMES, POINTWISE, loss_called
from pass_cases import Case, check

from xpfit.backends import Backend
from xpfit.core.gradient_check import finite_difference
from xpfit.core.losses import huber
from xpfit.core.passes import curvature_product, loss_gradient, weighted_gram


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_weights_are_repeated_rows(backend: Backend, name: str) -> None:
    once = Case(name, "float64", "C", (7, 2), False)
    counts = np.asarray([1, 0, 3, 2, 1, 4, 1])
    again = Case(name, "float64", "C", (7, 2), False)
    once.weight = counts.astype(float)
    again.X, again.y = np.repeat(again.X, counts, axis=0), np.repeat(again.y, counts)
    results = []
    for case in (once, again):
        data, direction = case.on(backend)
        sums = loss_gradient(*data, backend=backend)
        results.append([*sums, *curvature_product(*data, *direction, backend=backend)])
    for weighted, repeated in zip(*results, strict=True):
        check(weighted, backend.to_numpy(repeated), np.dtype("float64"), backend)


@pytest.mark.parametrize("name", ["half_poisson", "half_multinomial"])
def test_sums_of_blocks_are_the_whole(backend: Backend, name: str) -> None:
    X, y, weight, W, b, loss = Case(name, "float64", "C", (130, 2), True).on(backend)[0]
    whole = loss_gradient(X, y, weight, W, b, loss, backend=backend)
    total = None
    for rows in (slice(0, 65), slice(65, 130)):
        sums = loss_gradient(X[rows, :], y[rows], weight[rows], W, b, loss, backend=backend)
        total = sums if total is None else [a + c for a, c in zip(total, sums, strict=True)]
    for actual, expected in zip(total, whole, strict=True):
        check(actual, backend.to_numpy(expected), np.dtype("float64"), backend)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_curvature_product_is_the_slope_of_the_gradient(backend: Backend, name: str) -> None:
    case = Case(name, "float64", "C", (65, 3), True)
    if name in {"huber", "squared_hinge"}:  # no sample crosses a kink on the way
        case.W, case.b = case.W * 0.0, case.b * 0.0
        case.D, case.c = case.D * 0.01, case.c * 0.01
        case.y = np.where(np.abs(np.abs(case.y) - 1.5) < 0.2, 0.5, case.y)
    (X, y, weight, W, b, loss), (D, c) = case.on(backend)

    def gradient(step):
        sums = loss_gradient(X, y, weight, W + step * D, b + step * c, loss, backend=backend)
        return np.append(backend.to_numpy(sums.grad_W).ravel(), backend.to_numpy(sums.grad_b))

    products = curvature_product(X, y, weight, W, b, loss, D, c, backend=backend)
    actual = np.concatenate([backend.to_numpy(product).ravel() for product in products])
    slope = finite_difference(gradient, 0.0)
    assert np.max(np.abs(slope)) > 1e-3
    np.testing.assert_allclose(actual, slope, rtol=5e-6, atol=1e-7 * np.max(np.abs(slope)))
    with pytest.raises(AssertionError):  # the check sees a product off by a thousandth
        np.testing.assert_allclose(
            1.001 * actual, slope, rtol=5e-6, atol=1e-7 * np.max(np.abs(slope))
        )


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_gradient_is_the_slope_of_the_loss(backend: Backend, name: str) -> None:
    case = Case(name, "float64", "C", (65, 3), True)
    (X, y, weight, W, b, loss), (D, c) = case.on(backend)

    def value(step):
        sums = loss_gradient(X, y, weight, W + step * D, b + step * c, loss, backend=backend)
        return float(backend.to_numpy(sums.loss))

    sums = loss_gradient(X, y, weight, W, b, loss, backend=backend)
    along = float(np.sum(backend.to_numpy(sums.grad_W) * case.D))
    along += float(np.sum(backend.to_numpy(sums.grad_b) * case.c))
    # A sample whose kink lies within a step of 1e-4 costs at most that much of one curvature.
    assert along == pytest.approx(finite_difference(value, 0.0, 1e-4), rel=5e-6)
    assert along * 1.001 != pytest.approx(finite_difference(value, 0.0, 1e-4), rel=5e-6)


@pytest.mark.parametrize("name", POINTWISE)
def test_gram_has_the_curvature_products_as_columns(backend: Backend, name: str) -> None:
    data, _ = Case(name, "float64", "C", (65, 3), True).on(backend)
    gram = backend.to_numpy(weighted_gram(*data, backend=backend)[1])
    np.testing.assert_array_equal(gram.shape, (4, 4))
    for j, unit in enumerate(np.eye(4)):
        products = curvature_product(
            *data,
            backend.from_numpy(unit[:3, None].copy()),
            backend.from_numpy(unit[3:].copy()),
            backend=backend,
        )
        column = np.concatenate([backend.to_numpy(product).ravel() for product in products])
        np.testing.assert_allclose(gram[:, j], column, rtol=1e-12, atol=1e-12)


def test_a_parameter_of_the_loss_is_used(backend: Backend) -> None:
    (X, y, weight, W, b, _), _ = Case("huber", "float64", "C", (65, 3), True).on(backend)
    losses = [
        float(loss_gradient(X, y, weight, W, b, huber(delta), backend=backend).loss)
        for delta in (0.5, 1.5, 1e6)
    ]
    assert losses[0] < losses[1] < losses[2]
    square = loss_gradient(X, y, weight, W, b, loss_called("half_squared_error"), backend=backend)
    assert losses[2] == pytest.approx(float(square.loss), rel=1e-13)
