"""One name for the dtype in which a backend computes, and one way to convert a batch to it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_matches
from scipy import sparse

from xpfit.backends import Backend
from xpfit.core.dtypes import host_dtype, in_dtype
from xpfit.core.network import BatchNorm, Moment


def test_numpys_name_for_the_dtype_of_computation(backend: Backend) -> None:
    for stored in (np.float32, np.float64, np.uint8):
        computed = backend.compute_dtype(np.dtype(stored))
        found = backend.xp.zeros(1, dtype=computed)
        assert host_dtype(computed) is backend.to_numpy(found).dtype.type, stored
        assert host_dtype(found.dtype) is host_dtype(computed), stored


def test_rows_in_another_dtype(backend: Backend) -> None:
    X = np.arange(6.0).reshape(3, 2)
    held = backend.from_numpy(X)
    found = in_dtype(backend.xp, held, backend.xp.float32)
    assert_matches(found, X.astype(np.float32), backend=backend, rtol=0.0)
    assert in_dtype(backend.xp, held, held.dtype) is held


def test_sparse_rows_in_another_dtype() -> None:
    X = sparse.csr_array(np.eye(3))
    found = in_dtype(np, X, np.float32)
    assert found.format == "csr"
    assert found.dtype == np.float32
    assert np.shares_memory(in_dtype(np, X, np.float64).data, X.data)


class _Counting:
    """NumPy, and how often a sum or a mean was asked for."""

    def __init__(self) -> None:
        self.reductions = 0

    def __getattr__(self, name: str):
        if name in {"mean", "sum"}:
            self.reductions += 1
        return getattr(np, name)


@pytest.mark.parametrize("n", [1, 7])
def test_batch_normalization_finds_mean_and_variance_once(n: int) -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(n, 4))
    layer, xp = BatchNorm(0.3), _Counting()
    statistics = np.full(4, 0.5), np.full(4, 2.0)
    _, _, (mean, variance) = layer.forward(
        xp, (np.ones(4), np.zeros(4)), statistics, x, Moment(training=True)
    )
    assert xp.reductions == 2
    np.testing.assert_allclose(mean, 0.5 + 0.3 * (x.mean(axis=0) - 0.5), rtol=1e-13)
    of_batch = x.var(axis=0, ddof=1) if n > 1 else np.full(4, 2.0)
    np.testing.assert_allclose(variance, 2.0 + 0.3 * (of_batch - 2.0), rtol=1e-13)
