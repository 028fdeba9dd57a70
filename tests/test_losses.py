"""Losses: hand-computed values, derivatives, extreme raw predictions, and their invariants."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from helpers import (
    DELTA,
    POINTWISE,
    Wide,
    assert_is_derivative,
    assert_matches,
)

from xpfit.backends import Backend, get_backend
from xpfit.core.gradient_check import finite_difference
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, PointwiseLoss, huber, sigmoid
from xpfit.core.passes import curvature_product, loss_gradient

LOG2 = math.log(2.0)
# loss: (y, raw_prediction, value, gradient, curvature), worked out by hand.
BY_HAND = {
    "half_squared_error": [(1.0, 3.0, 2.0, 2.0, 1.0), (2.0, -1.0, 4.5, -3.0, 1.0)],
    "half_binomial": [
        (0.0, 0.0, LOG2, 0.5, 0.25),
        (1.0, 0.0, LOG2, -0.5, 0.25),
        (1.0, math.log(3.0), math.log(4.0 / 3.0), -0.25, 0.1875),
        (0.25, math.log(3.0), math.log(4.0) - 0.25 * math.log(3.0), 0.5, 0.1875),
    ],
    "half_poisson": [(2.0, 0.0, 1.0, -1.0, 1.0), (3.0, LOG2, 2.0 - 3.0 * LOG2, -1.0, 2.0)],
    "huber": [(0.0, 1.0, 0.5, 1.0, 1.0), (1.0, 4.0, 3.375, 1.5, 0.0), (0.0, -2.0, 1.875, -1.5, 0)],
    "squared_hinge": [(1.0, 0.5, 0.25, -1.0, 2.0), (0.0, 1.0, 4.0, 4.0, 2.0), (1.0, 2.0, 0, 0, 0)],
    "users_own": [(1.0, 1.0, 0.0, 0.0, 0.5), (0.0, LOG2, 0.5 * math.log(1.25), 0.3, 0.32)],
}  # fmt: skip
KINKS = {"huber": [-DELTA, DELTA], "squared_hinge": [1.0, -1.0]}
TARGETS = {"half_poisson": (0.0, 1.0, 7.0), "half_binomial": (0.0, 1.0, 0.25)}


def targets(name: str) -> tuple[float, ...]:
    """Values of y worth trying: exact in float32."""
    return TARGETS.get(name, (0.0, 1.0))


def raw_predictions(name: str, dtype: str) -> np.ndarray:
    """From 0 to the largest that the loss promises to stand, both signs, denser near 0."""
    largest = 1e3
    if name == "half_poisson":  # its value itself leaves the range of the dtype beyond this
        largest = 80.0 if dtype == "float32" else 700.0
    sizes = np.concatenate([[0.0], np.geomspace(1e-3, largest, 41)])
    return np.concatenate([-sizes[::-1], sizes]).astype(dtype)


@pytest.mark.parametrize("name", POINTWISE)
def test_values_worked_out_by_hand(backend: Backend, name: str) -> None:
    loss = POINTWISE[name][0]
    rows = np.asarray(BY_HAND[name])
    y, raw = backend.from_numpy(rows[:, 0].copy()), backend.from_numpy(rows[:, 1].copy())
    for column, formula in enumerate((loss.value, loss.gradient, loss.curvature), start=2):
        actual = formula(backend.xp, y, raw, *loss.parameters)
        assert_matches(actual, rows[:, column], backend=backend, rtol=1e-14, atol=1e-15)


def test_multinomial_values_worked_out_by_hand(backend: Backend) -> None:
    xp = backend.xp
    raw = backend.from_numpy(np.log(np.asarray([[1.0, 2.0, 5.0], [1.0, 1.0, 2.0]])))
    y = backend.from_numpy(np.asarray([2.0, 0.0]))
    proba = np.asarray([[0.125, 0.25, 0.625], [0.25, 0.25, 0.5]])
    chosen = np.asarray([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    expected = {
        "value": -np.log([0.625, 0.25]),
        "gradient": proba - chosen,
        "curvature": proba * (1.0 - proba),
    }
    for formula, values in expected.items():
        actual = getattr(HALF_MULTINOMIAL, formula)(xp, y, raw)
        assert_matches(actual, values, backend=backend, rtol=1e-14, atol=1e-15)
    direction = np.asarray([[8.0, 0.0, 0.0], [0.0, 4.0, 2.0]])
    actual = HALF_MULTINOMIAL.curvature_product(xp, y, raw, backend.from_numpy(direction))
    by_hand = np.asarray([[0.875, -0.25, -0.625], [-0.5, 0.5, 0.0]])
    assert_matches(actual, by_hand, backend=backend, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", POINTWISE)
def test_derivatives_match_differences(backend: Backend, name: str) -> None:
    loss = POINTWISE[name][0]
    points = np.linspace(-6.0, 6.0, 49) + 0.013
    for target in targets(name):
        kinks = KINKS.get(name, [])
        shift = target if name == "huber" else 0.0
        raw = points[[all(abs(p - shift - kink) > 0.01 for kink in kinks) for p in points]]
        assert raw.size > 40
        y = backend.from_numpy(np.full(raw.shape, target))

        def on_host(formula, raw, y=y):
            return backend.to_numpy(
                formula(backend.xp, y, backend.from_numpy(raw), *loss.parameters)
            )

        assert_is_derivative(
            lambda raw: on_host(loss.gradient, raw), lambda raw: on_host(loss.value, raw), raw
        )
        assert_is_derivative(
            lambda raw: on_host(loss.curvature, raw), lambda raw: on_host(loss.gradient, raw), raw
        )


def test_multinomial_derivatives_match_differences(backend: Backend) -> None:
    xp, rng = backend.xp, np.random.default_rng(3)
    y = backend.from_numpy(rng.integers(0, 4, 12).astype(float))
    raw, direction = rng.standard_normal((2, 12, 4)) * 2.0

    def along(formula, step):
        return backend.to_numpy(formula(xp, y, backend.from_numpy(raw + step * direction)))

    slope = finite_difference(lambda step: along(HALF_MULTINOMIAL.value, step), 0.0)
    gradient = along(HALF_MULTINOMIAL.gradient, 0.0)
    np.testing.assert_allclose(np.sum(gradient * direction, axis=1), slope, rtol=5e-6, atol=1e-9)
    bend = finite_difference(lambda step: along(HALF_MULTINOMIAL.gradient, step), 0.0)
    product = HALF_MULTINOMIAL.curvature_product(
        xp, y, backend.from_numpy(raw), backend.from_numpy(direction)
    )
    np.testing.assert_allclose(backend.to_numpy(product), bend, rtol=5e-6, atol=1e-9)
    curvature = along(HALF_MULTINOMIAL.curvature, 0.0)
    for k in range(4):
        unit = np.zeros_like(raw)
        unit[:, k] = 1.0
        column = HALF_MULTINOMIAL.curvature_product(
            xp, y, backend.from_numpy(raw), backend.from_numpy(unit)
        )
        np.testing.assert_allclose(curvature[:, k], backend.to_numpy(column)[:, k], rtol=1e-12)


@pytest.mark.parametrize("name", POINTWISE)
def test_the_checker_catches_a_gradient_off_by_a_thousandth(name: str) -> None:
    loss, xp = POINTWISE[name][0], get_backend("numpy").xp
    raw, y = np.asarray([-2.31, -0.32, 0.41, 0.83]), np.zeros(4)

    def value(raw):
        return loss.value(xp, y, raw, *loss.parameters)

    def gradient(raw):
        return loss.gradient(xp, y, raw, *loss.parameters)

    assert_is_derivative(gradient, value, raw)
    with pytest.raises(AssertionError):
        assert_is_derivative(lambda raw: 1.001 * gradient(raw), value, raw)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", POINTWISE)
def test_extreme_raw_predictions(backend: Backend, name: str, dtype: str) -> None:
    loss, reference = POINTWISE[name]
    epsilon, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    raw = raw_predictions(name, dtype)
    for target in targets(name):
        y = np.full(raw.shape, target, dtype)
        # Where terms of order one cancel, the result is as good as those. The binomial loss of a
        # label has none that do: it keeps its digits however certain the label is.
        atol = tiny if name == "half_binomial" and target in {0.0, 1.0} else 4.0 * epsilon
        for formula in ("value", "gradient", "curvature"):
            expected = getattr(reference, formula)(y.astype(Wide), raw.astype(Wide)).astype(dtype)
            actual = getattr(loss, formula)(
                backend.xp, backend.from_numpy(y), backend.from_numpy(raw), *loss.parameters
            )
            assert np.all(np.isfinite(backend.to_numpy(actual)))
            assert_matches(actual, expected, backend=backend, rtol=16.0 * epsilon, atol=atol)


@pytest.mark.parametrize("name", POINTWISE)
def test_extreme_raw_predictions_through_the_passes(backend: Backend, name: str) -> None:
    # One sample a call, so that each sum is one term: fused kernels have formulas of their own.
    loss, reference = POINTWISE[name]
    move = backend.from_numpy
    W, b, zero = move(np.ones((1, 1))), move(np.zeros(1)), move(np.zeros((1, 1)))
    for raw in raw_predictions(name, "float64")[::6]:
        for target in targets(name)[:2]:
            data = (move(np.asarray([[raw]])), move(np.asarray([target])), None, W, b, loss)
            sums = loss_gradient(*data, backend=backend)
            product = curvature_product(*data, zero, move(np.ones(1)), backend=backend)
            for actual, formula in (
                (sums.loss, "value"), (sums.grad_b, "gradient"), (product[1], "curvature"),
            ):  # fmt: skip
                expected = float(getattr(reference, formula)(Wide(target), Wide(raw)))
                found = float(np.squeeze(backend.to_numpy(actual)))
                assert found == pytest.approx(expected, rel=1e-14, abs=1e-15), (formula, raw)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_extreme_multinomial_raw_predictions(backend: Backend, dtype: str) -> None:
    raw = np.asarray([[1e3, -1e3, 0.0], [-1e3, -1e3, -1e3], [1e3, 1e3, -1e3], [3.0, 1e3, 999.0]])
    labels = np.asarray([1, 0, 0, 2])
    raw = raw.astype(dtype)
    wide = raw.astype(Wide)
    totals = np.logaddexp.reduce(wide, axis=1)
    values = totals - wide[np.arange(4), labels]
    proba = np.exp(wide - totals[:, None])
    gradient = proba - np.eye(3)[labels]
    y = backend.from_numpy(labels.astype(dtype))
    epsilon = float(np.finfo(dtype).eps)
    for formula, expected in (
        ("value", values), ("gradient", gradient), ("curvature", proba * (1 - proba)),
    ):  # fmt: skip
        actual = getattr(HALF_MULTINOMIAL, formula)(backend.xp, y, backend.from_numpy(raw))
        assert_matches(
            actual, expected.astype(dtype), backend=backend, rtol=16 * epsilon, atol=4 * epsilon
        )


def test_two_classes_are_the_binomial_loss(backend: Backend) -> None:
    xp = backend.xp
    raw = np.linspace(-30.0, 30.0, 61)
    both = np.stack([np.zeros_like(raw), raw], axis=1)
    for label in (0.0, 1.0):
        y = backend.from_numpy(np.full(raw.shape, label))
        one, two = backend.from_numpy(raw), backend.from_numpy(both)
        for formula in ("value", "gradient", "curvature"):
            expected = backend.to_numpy(getattr(HALF_BINOMIAL, formula)(xp, y, one))
            actual = backend.to_numpy(getattr(HALF_MULTINOMIAL, formula)(xp, y, two))
            actual = actual if actual.ndim == 1 else actual[:, 1]
            np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-15)


def test_multinomial_ignores_a_shift_of_each_row(backend: Backend) -> None:
    xp, rng = backend.xp, np.random.default_rng(5)
    raw = rng.standard_normal((9, 3))
    shifted = raw + rng.standard_normal((9, 1)) * 100.0
    y = backend.from_numpy(rng.integers(0, 3, 9).astype(float))
    for formula in ("value", "gradient", "curvature"):
        kept, moved = (
            backend.to_numpy(getattr(HALF_MULTINOMIAL, formula)(xp, y, backend.from_numpy(array)))
            for array in (raw, shifted)
        )
        assert np.ptp(kept) > 0.01
        np.testing.assert_allclose(moved, kept, rtol=1e-11, atol=1e-12)


def test_multinomial_takes_integer_labels(backend: Backend) -> None:
    raw = backend.from_numpy(np.asarray([[0.1, 0.2, 0.3], [1.0, 0.0, 2.0]]))
    labels = np.asarray([2, 0])
    for formula in ("value", "gradient"):
        function = getattr(HALF_MULTINOMIAL, formula)
        as_float = function(backend.xp, backend.from_numpy(labels.astype(float)), raw)
        as_int = function(backend.xp, backend.from_numpy(labels), raw)
        assert_matches(as_int, backend.to_numpy(as_float), backend=backend, rtol=0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_inverse_links_keep_the_dtype(backend: Backend, dtype: str) -> None:
    raw = np.asarray([-1e3, -1.0, 0.0, 1.0, 1e3], dtype)
    expected = np.asarray([0.0, 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0], dtype)
    actual = sigmoid(backend.xp, backend.from_numpy(raw))
    assert_matches(actual, expected, backend=backend, rtol=8 * np.finfo(dtype).eps)
    squared = dataclasses.replace(HALF_BINOMIAL, inverse_link=PointwiseLoss.inverse_link)
    assert squared.inverse_link(backend.xp, raw) is raw


@pytest.mark.parametrize("delta", [0.0, -1.0, float("nan")])
def test_huber_wants_a_positive_threshold(delta: float) -> None:
    with pytest.raises(ValueError, match=r"huber\(delta=.*must be positive"):
        huber(delta)


def test_losses_with_equal_parameters_are_equal() -> None:
    # A compiler keys its cache by the loss.
    assert huber(1.5) == huber(1.5)
    assert hash(huber(1.5)) == hash(huber(1.5))
    assert huber(1.5) != huber(2.0)
