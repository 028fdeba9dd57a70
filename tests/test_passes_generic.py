"""Passes, generic and fused, on every backend against plain Python loops at tiny sizes."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import scipy.sparse
from helpers import LOSS_NAMES
from pass_cases import DTYPES, Case, check, check_all_passes

from xpfit.backends import Backend, get_backend
from xpfit.core.losses import PointwiseLoss
from xpfit.core.passes import (
    curvature_product,
    loss_gradient,
    predict_raw,
    row_blocks,
    weighted_gram,
)

SIZES = ((0, 3), (1, 1), (2, 17), (7, 2), (64, 3), (65, 17), (130, 2))
FEW_SIZES = ((0, 3), (2, 17), (65, 3))  # where each size is compiled anew
# Numba compiles each for seconds: every dtype for one loss and order, some for each of its layouts
# and for softmax, and softmax by columns once.
COMPILED = {
    ("half_binomial", "C"): DTYPES,
    ("half_binomial", "F"): ("float64", "float16", "uint8"),
    ("half_multinomial", "C"): ("float64", "float16", "uint8"),
    ("half_multinomial", "F"): ("float64",),
}


def sizes_for(backend: Backend) -> tuple[tuple[int, int], ...]:
    return FEW_SIZES if backend.name == "jax" else SIZES


@pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", LOSS_NAMES)
def test_every_loss_and_size(backend: Backend, name: str, weighted: bool) -> None:
    for size in sizes_for(backend):
        check_all_passes(Case(name, "float64", "C", size, weighted), backend)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["half_binomial", "half_multinomial"])
def test_every_dtype_and_order(backend: Backend, name: str, dtype: str, order: str) -> None:
    if backend.name == "array-api-strict" and dtype == "float16":
        with pytest.raises(TypeError, match="float16"):
            backend.from_numpy(np.zeros(1, np.float16))
        return
    if backend.name == "jax" and order == "F" and dtype != "float64":
        pytest.skip("JAX arrays have no memory order: float64 shows that one is taken")
    if backend.name == "numba" and dtype not in COMPILED[name, order]:
        pytest.skip("each is compiled for seconds: the binomial loss in C order takes every dtype")
    # One size where each is compiled anew: it has a whole block and a rest.
    for size in ((65, 3),) if backend.name == "jax" else ((7, 2), (65, 17)):
        case = Case(name, dtype, order, size, True)
        assert case.X.dtype == dtype
        assert case.X.flags[f"{order}_CONTIGUOUS"]
        check_all_passes(case, backend)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSS_NAMES)
def test_the_reference_takes_every_loss_dtype_and_order(name: str, dtype: str, order: str) -> None:
    # The full product only where nothing is compiled.
    backend = get_backend("numpy")
    for size, weighted in (((2, 17), False), ((65, 3), True)):
        check_all_passes(Case(name, dtype, order, size, weighted), backend)


def test_views_of_neither_order(backend: Backend) -> None:
    case = Case("half_binomial", "float64", "C", (65, 17), True)
    case.X = case.X[:, ::2]
    case.W, case.D = case.W[::2], case.D[::2]
    assert not case.X.flags.contiguous
    check_all_passes(case, backend)


@pytest.mark.parametrize("name", ["half_squared_error", "half_multinomial"])
def test_fused_off_gives_the_same(backend: Backend, name: str) -> None:
    check_all_passes(Case(name, "float64", "C", (65, 3), True), backend, fused=False)


@pytest.mark.parametrize("block_bytes", [1, 2000, 1 << 20, None])
def test_the_size_of_a_block_changes_nothing(backend: Backend, block_bytes: int | None) -> None:
    if backend.name == "jax" and block_bytes not in {1, None}:
        pytest.skip("every size of a block is compiled anew: the smallest and the largest will do")
    backend = dataclasses.replace(backend, block_bytes=block_bytes)
    for name in ("half_binomial", "half_multinomial"):
        case = Case(name, "float64", "C", (130, 3), True)
        check_all_passes(case, backend, fused=False)


def test_blocks_cover_every_row_once() -> None:
    for n_samples in (0, 1, 63, 64, 65, 130):
        X = np.zeros((n_samples, 4))
        for block_bytes in (None, 1, 64 * 4 * 8, 100 * 4 * 8):
            blocks = list(row_blocks(X, 8, block_bytes))
            rows = [row for block in blocks for row in range(block.start, block.stop)]
            assert rows == list(range(n_samples))
            if block_bytes is not None:
                assert all(block.stop - block.start <= 100 for block in blocks)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("half_binomial", "float64"), ("half_binomial", "float32"), ("half_multinomial", "float64")],
)
def test_sparse_rows_on_the_host(backend: Backend, name: str, dtype: str) -> None:
    if backend.array_type is not np.ndarray:
        pytest.skip(f"{backend.name} takes no SciPy matrix: CSR is for host backends")
    case = Case(name, dtype, "C", (65, 17), True)
    case.X[np.abs(case.X) < 1.0] = 0.0
    case.X[3] = 0.0
    oracle = case.oracle()
    sparse = scipy.sparse.csr_array(case.X)
    assert 0.2 < sparse.nnz / case.X.size < 0.6
    move = backend.from_numpy
    y, weight, W, b, D, c = map(move, (case.y, case.weight, case.W, case.b, case.D, case.c))
    data = (sparse, y, weight, W, b, case.loss)
    same = functools.partial(check, dtype=np.dtype("float64"), backend=backend)
    for fused in (None, False):
        sums = loss_gradient(*data, backend=backend, fused=fused)
        same(sums.loss, oracle.loss)
        same(sums.grad_W, oracle.grad_W)
        products = curvature_product(*data, D, c, backend=backend, fused=fused)
        same(products[0], oracle.product_W)
        same(products[1], oracle.product_b)
        if name != "half_multinomial":
            same(weighted_gram(*data, backend=backend, fused=fused)[1], oracle.gram)
        raw = predict_raw(sparse, W, b, backend=backend, fused=fused)
        same(raw, case.X.astype(np.float64) @ case.W + case.b)


@pytest.mark.parametrize("name", ["half_binomial", "half_multinomial"])
def test_arguments_are_left_as_they_are(backend: Backend, name: str) -> None:
    case = Case(name, "float64", "C", (65, 3), True)
    data, direction = case.on(backend)
    arrays = [array for array in (*data[:5], *direction) if array is not None]
    before = [backend.to_numpy(array).copy() for array in arrays]
    for array in arrays:
        if isinstance(array, np.ndarray):  # a write would be an error at once
            array.flags.writeable = False
    loss_gradient(*data, backend=backend)
    curvature_product(*data, *direction, backend=backend)
    predict_raw(data[0], data[3], data[4], backend=backend)
    if name != "half_multinomial":
        weighted_gram(*data, backend=backend)
    for array, values in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(backend.to_numpy(array), values)


def test_the_oracle_comparison_catches_a_wrong_loss(backend: Backend) -> None:
    case = Case("half_binomial", "float64", "C", (65, 3), True)
    right = case.loss
    case.loss = PointwiseLoss("planted", right.value, _gradient_off, right.curvature)
    with pytest.raises(AssertionError):
        check_all_passes(case, backend)


def _gradient_off(xp, y, raw_prediction):
    """The gradient of half_binomial, off by 0.1 %."""
    return 1.001 / (1.0 + xp.exp(-raw_prediction)) - 1.001 * y
