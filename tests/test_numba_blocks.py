"""Numba passes over several blocks, chunks and tiles; and what they leave of BLAS as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from xpfit.backends import get_backend
from xpfit.backends.blas_threads import single_blas_thread
from xpfit.core.losses import HALF_BINOMIAL
from xpfit.core.passes import loss_gradient, weighted_gram

NUMBA = get_backend("numba")


@pytest.mark.parametrize(("n", "d"), [(1025, 9), (1029, 65), (777, 101), (300, 333)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_large_blocks_and_tiles_agree_with_the_generic_passes(
    monkeypatch: pytest.MonkeyPatch, n: int, d: int, order: str
) -> None:
    # Several blocks, chunks and tiles, the last ones short; near and far rows asked for.
    rng = np.random.default_rng(n)
    X = np.asarray(rng.standard_normal((n, d)), order=order)
    y, weight = rng.integers(0, 2, n).astype(float), rng.random(n)
    W, b = 0.1 * rng.standard_normal((d, 1)), np.asarray([0.2])
    found = {}
    for threads in ("1", "2"):
        monkeypatch.setenv("XPFIT_NUM_THREADS", threads)
        found[threads] = weighted_gram(X, y, weight, W, b, HALF_BINOMIAL, backend=NUMBA, fused=True)
    generic = weighted_gram(X, y, weight, W, b, HALF_BINOMIAL, backend=NUMBA, fused=False)
    np.testing.assert_array_equal(found["1"][1], found["2"][1])
    np.testing.assert_array_equal(found["1"][0].grad_W, found["2"][0].grad_W)
    np.testing.assert_allclose(found["1"][1], generic[1], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found["1"][0].grad_W, generic[0].grad_W, rtol=1e-11, atol=1e-11)
    one = loss_gradient(X, y, weight, W, b, HALF_BINOMIAL, backend=NUMBA, fused=True)
    np.testing.assert_allclose(one.grad_W, generic[0].grad_W, rtol=1e-11, atol=1e-11)


def _blas_threads() -> list[int]:
    import threadpoolctl

    pools = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


def test_the_number_of_blas_threads_is_given_back() -> None:
    import scipy.linalg

    assert scipy.linalg is not None
    before = _blas_threads()
    with single_blas_thread(), single_blas_thread():
        inside = _blas_threads()
    assert _blas_threads() == before
    assert set(inside) == {1}

    def factor_and_solve(seed: int) -> None:
        A = np.random.default_rng(seed).standard_normal((100, 100))
        factored = NUMBA.cholesky(A @ A.T + 100.0 * np.eye(100))
        assert factored is not None
        for _ in range(20):
            factored[0](A[0])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(factor_and_solve, range(16)))
    assert _blas_threads() == before
