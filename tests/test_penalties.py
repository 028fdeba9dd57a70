"""The elastic net: value, proximal step and optimality conditions, on every backend."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_matches

from xpfit.backends import Backend
from xpfit.core.penalties import ElasticNet, soft_threshold

W = np.asarray([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0])
GRADIENT = np.asarray([1.0, 0.5, -2.0, 0.75, 3.0, -1.0, 0.0])
NETS = [ElasticNet(1.0), ElasticNet(0.0, 2.0), ElasticNet(0.7, 0.3), ElasticNet(0.0)]


@pytest.mark.parametrize("net", NETS)
def test_value_and_proximal_step(backend: Backend, net: ElasticNet) -> None:
    xp, w = backend.xp, backend.from_numpy(W)
    expected = net.l1 * np.abs(W).sum() + 0.5 * net.l2 * (W**2).sum()
    assert float(net.value(xp, w)) == pytest.approx(expected, rel=1e-14)
    step = 0.5
    shrunk = np.sign(W) * np.maximum(np.abs(W) - step * net.l1, 0.0) / (1.0 + step * net.l2)
    assert_matches(net.proximal_step(xp, w, step), shrunk, backend=backend, rtol=1e-14)


@pytest.mark.parametrize("net", NETS)
def test_the_proximal_step_minimizes(net: ElasticNet) -> None:
    grid = np.linspace(-4.0, 4.0, 80_001)
    for w in W:
        cost = net.l1 * abs(grid) + 0.5 * net.l2 * grid**2 + (grid - w) ** 2 / (2.0 * 0.8)
        step = net.proximal_step(np, np.asarray([w]), 0.8)[0]
        assert step == pytest.approx(grid[np.argmin(cost)], abs=2e-4)


def test_a_threshold_for_each_entry(backend: Backend) -> None:
    thresholds = np.abs(GRADIENT)
    found = soft_threshold(backend.xp, backend.from_numpy(W), backend.from_numpy(thresholds))
    expected = np.sign(W) * np.maximum(np.abs(W) - thresholds, 0.0)
    assert_matches(found, expected, backend=backend, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("net", NETS)
def test_violations_are_distances_to_the_subdifferential(backend: Backend, net: ElasticNet) -> None:
    found = net.violations(backend.xp, backend.from_numpy(W), backend.from_numpy(GRADIENT))
    low = np.where(W > 0, net.l1, -net.l1) + net.l2 * W
    high = np.where(W < 0, -net.l1, net.l1) + net.l2 * W
    expected = np.maximum(np.maximum(low + GRADIENT, -GRADIENT - high), 0.0)
    assert_matches(found, expected, backend=backend, rtol=1e-14, atol=1e-15)
    largest = net.violation(backend.xp, backend.from_numpy(W), backend.from_numpy(GRADIENT))
    assert largest == pytest.approx(expected.max(), rel=1e-14)


def test_the_minimum_of_a_quadratic_violates_nothing_and_a_wrong_threshold_does() -> None:
    # 0.5 * ||W - target||^2 + penalty has its minimum at the proximal step of the target.
    net = ElasticNet(0.7, 0.3)
    right = net.proximal_step(np, W, 1.0)
    assert net.violation(np, right, right - W) <= 1e-15
    wrong = ElasticNet(0.7 * 1.001, 0.3).proximal_step(np, W, 1.0)
    assert net.violation(np, wrong, wrong - W) == pytest.approx(0.0007, rel=1e-6)
    assert net.violation(np, W[:0], W[:0]) == 0.0
