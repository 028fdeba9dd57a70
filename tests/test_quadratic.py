"""A quadratic model with an L1 penalty: the optimality conditions hold on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from xpfit.backends import Backend, get_backend
from xpfit.core.penalties import ElasticNet
from xpfit.core.solvers.quadratic import generic_coordinate_descent, minimize_quadratic


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
