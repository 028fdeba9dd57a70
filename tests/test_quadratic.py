"""A quadratic model with an L1 penalty: the optimality conditions hold on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers.quadratic import (
    _line_step,
    _Lowest,
    generic_coordinate_descent,
    minimize_quadratic,
)


def model(kind: str, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    A = rng.normal(size=(40, n))
    if kind == "ill-conditioned":
        A = A @ np.diag(np.logspace(0, -2.5, n)) + rng.normal(size=(40, 1))
    if kind == "collinear":
        A[:, n // 2 :] = A[:, : n // 2]
    if kind == "flat":
        A[:, 3] = 0.0
    return A.T @ A / 40.0, A.T @ rng.normal(size=40) / 10.0


@pytest.mark.parametrize("kind", ["plain", "ill-conditioned", "collinear", "flat"])
def test_the_minimum_meets_the_conditions(backend: Backend, kind: str) -> None:
    H, g = model(kind)
    share, l1 = np.random.default_rng(5).normal(size=12), 0.2
    start = np.where(share > 0.5, share, 0.0)
    w = backend.to_numpy(
        minimize_quadratic(
            backend, backend.from_numpy(H), backend.from_numpy(g), backend.from_numpy(start), l1,
            1e-12,
        )
    )  # fmt: skip
    assert ElasticNet(l1).violation(np, w, g + H @ (w - start)) < 1e-11
    assert 0 < np.count_nonzero(w) < 12 or kind == "collinear"


def test_fused_and_generic_agree() -> None:
    H, g = model("plain")
    backend = get_backend("numba")
    fused = minimize_quadratic(backend, H, g, np.zeros(12), 0.05, 1e-13)
    generic = minimize_quadratic(backend, H, g, np.zeros(12), 0.05, 1e-13, fused=False)
    np.testing.assert_allclose(fused, generic, rtol=0, atol=1e-12)
    assert ((fused == 0) == (generic == 0)).all()
    found = backend.kernels["coordinate_descent"].call(H, g, np.zeros(12), 0.05, 1e-13, 1000)
    slow = generic_coordinate_descent(H, g, np.zeros(12), 0.05, 1e-13, 1000, backend=backend)
    for one, other in zip(found, slow, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("seed", range(4))
def test_no_point_above_the_start(backend: Backend, seed: int) -> None:
    """Of less rank than coefficients there are directions whose curvature is rounding."""
    rng = np.random.default_rng(seed)
    n, rank = 24, int(rng.integers(1, 12))
    A = rng.normal(size=(rank, n)) * np.exp(rng.normal(size=n))
    H, g, l1 = A.T @ A, A.T @ rng.normal(size=rank), 10.0 ** rng.uniform(-6.0, -1.0)
    start = rng.normal(size=n) * (rng.random(n) < 0.8)
    w = backend.to_numpy(
        minimize_quadratic(
            backend, backend.from_numpy(H), backend.from_numpy(g), backend.from_numpy(start), l1,
            1e-9,
        )
    )  # fmt: skip
    change = w - start
    cost = g @ change + 0.5 * np.sum((A @ change) ** 2) + l1 * np.sum(np.abs(w) - np.abs(start))
    assert cost < 0.0


def test_along_a_direction_without_curvature() -> None:
    """Rounding has made the curvature negative: the cost falls to a change of a sign."""
    H = np.asarray([[1.0, -1.0], [-1.0, 1.0 - 1e-15]])
    w, along, l1 = np.asarray([3.0, -2.0]), np.asarray([1e6, 1e6]), 0.1
    gradient = np.asarray([-0.1, 0.05])
    assert along @ H @ along < 0.0
    new, _, _ = _line_step(np, H, gradient, w, along, l1)
    np.testing.assert_allclose(new, [5.0, 0.0], rtol=1e-9)
    rising, _, share = _line_step(np, H, -gradient, w, along, l1)
    assert share == 0.0
    assert (rising == w).all()


def test_the_lowest_point_is_kept_not_the_least_violation() -> None:
    backend, start = get_backend("numpy"), np.asarray([1.0, 1.0])
    lowest = _Lowest(backend, np.asarray([1.0, 0.0]), start, 0.0, 1e-9)
    # A lower cost with a larger violation, then a higher cost with hardly any.
    low, high = np.asarray([0.0, 1.0]), np.asarray([4.0, 1.0])
    assert not lowest.ends_at(low, np.asarray([1.0, 3.0]))
    assert not lowest.ends_at(high, np.asarray([1e-3, 0.0]))
    assert lowest.w is low
    assert lowest.ends_at(high, np.zeros(2))  # met, but above the start
    assert lowest.w is low
    assert lowest.ends_at(high, np.full(2, np.nan))
    assert lowest.w is low
