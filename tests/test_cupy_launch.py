"""The host side of CuPy's fused passes: what they take, and which kernel a loss gets.

The tests at the end need a GPU.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from cuda_emulation import Kernel, emulated
from emulated_passes import NUMPY, Problem
from pass_cases import Case

from xpfit.backends import Backend, KernelCompileError
from xpfit.backends.cupy_kernels import launch
from xpfit.core.fit import fit_linear_model
from xpfit.core.losses import HALF_BINOMIAL, HALF_MULTINOMIAL, PointwiseLoss
from xpfit.core.passes import loss_gradient


def test_what_is_not_taken(emulation: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    takes = launch.KERNELS["loss_gradient"].accepts

    def asked(X: Any, loss: Any = HALF_BINOMIAL, dtype: Any = np.float64, K: int = 1) -> bool:
        y, W, b = np.zeros(X.shape[0]), np.zeros((X.shape[1], K), dtype), np.zeros(K, dtype)
        return takes(*map(emulated, (X, y)), None, *map(emulated, (W, b)), loss)

    X = np.zeros((10, 8))
    assert asked(X)
    assert asked(X.T)
    assert asked(X.astype(np.float32), dtype=np.float32)
    assert asked(X, HALF_MULTINOMIAL, K=3)
    assert not asked(X[:, ::2])
    assert not asked(X[:0])
    assert not asked(X[:, :0])
    assert not asked(X, dtype=np.float32)
    assert not asked(X.astype(np.complex128))
    assert not asked(X.astype(">f8"))
    assert asked(np.zeros((2, 4096)))
    assert not asked(np.zeros((2, 4097)))
    assert not asked(np.zeros((2, 1025), order="F"))
    assert not asked(X, dataclasses.replace(HALF_MULTINOMIAL, fused_as=None), K=3)
    assert not asked(X, HALF_MULTINOMIAL, K=20_000)
    without_source = dataclasses.replace(HALF_BINOMIAL, value=lambda xp, y, raw: raw - y)
    assert not asked(X, without_source)
    with monkeypatch.context() as small:
        small.setattr(launch, "_shared_bytes_of", lambda device: 64 << 10)
        assert not asked(np.zeros((2, 4096)))
    assert not launch.KERNELS["predict_raw"].accepts(
        emulated(X), emulated(np.zeros((8, 2))), emulated(np.zeros(2))
    )


def test_passes_of_one_text_ask_for_different_shared_memory(emulation: Backend) -> None:
    # The same tile, so the same kernel; the second needs less than the first, which runs again.
    for n_classes in (10, 3, 10):
        Problem(HALF_MULTINOMIAL, (20, 400), "C", True, n_classes).check(emulation)
        launch._compiled.cache_clear()
    assert [name for _, name in Kernel.shared_limits] == ["multinomial_pass"]


STEEPNESS = 2.5


def steep(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return STEEPNESS * (raw_prediction - y) ** 2


def summed(xp: Any, y: Any, raw_prediction: Any) -> Any:
    return xp.sum(raw_prediction)


def test_a_number_around_a_formula_is_taken_as_it_is_now(
    emulation: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = PointwiseLoss("steep", steep, steep, steep)
    X, y = emulated(np.ones((4, 1))), emulated(np.zeros(4))
    W, b = emulated(np.ones((1, 1))), emulated(np.zeros(1))
    for steepness in (2.5, 7.0):
        monkeypatch.setitem(globals(), "STEEPNESS", steepness)
        sums = loss_gradient(X, y, None, W, b, loss, backend=emulation)
        assert float(sums.loss) == pytest.approx(4.0 * steepness)


def test_a_formula_that_cannot_be_translated_is_explained(emulation: Backend) -> None:
    loss = PointwiseLoss("mine", steep, summed, steep)
    problem = Problem(HALF_BINOMIAL, (4, 1), "C", False)
    problem.data = (*problem.data[:-1], loss)
    with pytest.raises(KernelCompileError, match=r"mine: loss_gradient .*xp\.sum.*XPFIT_FUSED=0"):
        problem.passes(emulation, None, emulated)


@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_a_fit_by_fused_passes(emulation: Backend, loss: Any) -> None:
    n_outputs = 3 if loss.is_multiclass else 1
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 6)).astype(np.float32).astype(np.float64)
    y = rng.integers(0, max(2, n_outputs), 300).astype(float)
    Kernel.launched.clear()
    fits = [
        fit_linear_model(
            move(X), move(y), loss=loss, backend=backend, n_outputs=n_outputs,
            l2_reg_strength=0.01, solver="lbfgs", tol=1e-9, fused=fused,
        )
        for backend, move, fused in ((emulation, emulated, None), (NUMPY, np.asarray, False))
    ]  # fmt: skip
    assert len(Kernel.launched) >= 10
    np.testing.assert_allclose(fits[0].W, fits[1].W, atol=1e-7)
    np.testing.assert_allclose(fits[0].b, fits[1].b, atol=1e-7)


@pytest.mark.gpu
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8"])
@pytest.mark.parametrize("name", ["half_binomial", "half_multinomial"])
def test_on_a_gpu_fused_and_generic_agree(
    cupy_backend: Backend, name: str, dtype: str, order: str
) -> None:
    for size in ((100_003, 30), (5_000, 784)):
        case = Case(name, dtype, order, size, True)
        data, _ = case.on(cupy_backend)
        assert cupy_backend.kernels["loss_gradient"].accepts(*data)
        fused = loss_gradient(*data, backend=cupy_backend)
        again = loss_gradient(*data, backend=cupy_backend)
        generic = loss_gradient(*data, backend=cupy_backend, fused=False)
        for ours, twice, theirs in zip(fused, again, generic, strict=True):
            ours, twice, theirs = map(cupy_backend.to_numpy, (ours, twice, theirs))
            np.testing.assert_array_equal(ours, twice)
            scale = float(np.max(np.abs(theirs)))
            tolerance = 1e-11 if case.W.dtype == np.float64 else 1e-3
            np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)
