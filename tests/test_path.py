"""Regularization paths: each strength is the model that a fit of its own finds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import enet_path
from test_sparse_solvers import TOL, optimality, problem

from xpfit.backends import Backend, get_backend
from xpfit.core.duality import duality_gap
from xpfit.core.fit import fit_linear_model, objective_of
from xpfit.core.fit_sparse import fit_sparse_model
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_MULTINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    Loss,
    huber,
)
from xpfit.core.many_passes import losses_gradients
from xpfit.core.path import fit_path
from xpfit.core.path_point import PathFit
from xpfit.core.solvers.result import CONVERGED

NUMPY = get_backend("numpy")
LOSSES: list[Loss] = [HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON, huber(0.8), SQUARED_HINGE]


def path_of(backend: Backend, loss: Loss, **options: Any) -> tuple[PathFit, Any, Any, Any]:
    X, y, weight = problem(loss)
    options = {"n_strengths": 12, "eps": 1e-2, "tol": TOL, "max_iter": 3000, **options}
    path = fit_path(
        backend.from_numpy(X), backend.from_numpy(y), loss=loss, backend=backend,
        sample_weight=backend.from_numpy(weight), n_outputs=3 if loss.is_multiclass else 1,
        **options,
    )  # fmt: skip
    return path, X, y, weight


@pytest.mark.whole_fit
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
@pytest.mark.parametrize("loss", [*LOSSES, HALF_MULTINOMIAL], ids=lambda loss: loss.name)
def test_every_strength_meets_the_conditions(backend: Backend, loss: Loss, l1_ratio: float) -> None:
    if l1_ratio < 1.0 and (loss is SQUARED_HINGE or loss.is_multiclass):
        pytest.skip("the other losses show that the L2 part arrives")
    path, X, y, weight = path_of(backend, loss, l1_ratio=l1_ratio)
    assert path.strengths.shape == (12,)
    assert (np.diff(path.strengths) < 0).all()
    np.testing.assert_array_equal(path.W[0], 0.0)
    assert np.count_nonzero(path.W[1]) > 0
    for k, s in enumerate(path.strengths):
        fit = _At(path.W[k], path.b[k])
        found = optimality(fit, X, y, weight, loss, s * l1_ratio, s * (1.0 - l1_ratio))
        # Where the cost is all rounding, a solver stops a little before.
        assert found <= (2.0 if path.stop_reasons[k] == CONVERGED else 10.0) * TOL, k
        assert found <= path.violations[k] + TOL


class _At:
    def __init__(self, W: Any, b: Any) -> None:
        self.W, self.b = W, b


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_it_equals_fits_of_their_own(loss: Loss, fit_intercept: bool, standardize: bool) -> None:
    options: dict[str, Any] = {"fit_intercept": fit_intercept, "standardize": standardize}
    for l1_ratio in (1.0, 0.5):
        path, X, y, weight = path_of(NUMPY, loss, l1_ratio=l1_ratio, tol=1e-10, **options)
        for k in (1, 5, 11):
            s = path.strengths[k]
            own = fit_sparse_model(
                X, y, loss=loss, backend=NUMPY, sample_weight=weight, l1_reg_strength=s * l1_ratio,
                l2_reg_strength=s * (1.0 - l1_ratio), tol=1e-10, **options,
            )  # fmt: skip
            np.testing.assert_allclose(path.W[k], own.W, rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(path.b[k], own.b, rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(path.losses[k], own.result.loss, rtol=1e-12)
            assert own.result.duality_gap is not None
            np.testing.assert_allclose(path.duality_gaps[k], own.result.duality_gap, atol=1e-9)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("loss", [HALF_BINOMIAL, HALF_POISSON], ids=lambda loss: loss.name)
def test_gaps_of_a_path_are_those_of_single_models(
    backend: Backend, loss: Loss, fit_intercept: bool
) -> None:
    # Stopped early: gaps are to be seen.
    for l1_ratio in (1.0, 0.5):
        path, X, y, weight = path_of(
            backend, loss, l1_ratio=l1_ratio, tol=1e-2, fit_intercept=fit_intercept
        )
        assert path.duality_gaps.max() > 1e-6
        for k, s in enumerate(path.strengths):
            objective = objective_of(
                X, y, weight, loss, NUMPY, 1, s * (1.0 - l1_ratio), fit_intercept, False, None
            )
            theta = np.concatenate([path.W[k][:, 0], path.b[k]])[: objective.size]
            exact = duality_gap(objective, s * l1_ratio, theta, float(path.losses[k]))
            assert exact is not None
            # A bound of the gap, and a close one.
            assert exact - 1e-13 <= path.duality_gaps[k] <= 1.5 * exact + 1e-5


@pytest.mark.whole_fit
@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_ridge_paths(backend: Backend, loss: Loss) -> None:
    strengths = [1.0, 1e-3, 0.1]
    path, X, y, weight = path_of(backend, loss, l1_ratio=0.0, strengths=strengths)
    assert path.strengths.tolist() == [1.0, 0.1, 1e-3]
    for k, s in enumerate(path.strengths):
        own = fit_linear_model(
            X, y, loss=loss, backend=NUMPY, sample_weight=weight, l2_reg_strength=s, tol=TOL
        )
        np.testing.assert_allclose(path.W[k], own.W, rtol=1e-5, atol=1e-6)
    assert np.isnan(path.duality_gaps).all()


def test_the_squared_error_is_read_once() -> None:
    path, *_ = path_of(NUMPY, HALF_SQUARED_ERROR)
    assert path.n_passes == 1
    assert path.duality_gaps.max() < 1e-8
    assert path.duality_gaps.min() > -1e-14
    standardized, *_ = path_of(NUMPY, HALF_SQUARED_ERROR, standardize=True)
    assert standardized.n_passes == 2


@pytest.mark.parametrize("l1_ratio", [1.0, 0.3])
def test_scikit_learns_path(l1_ratio: float) -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(60, 90)) + rng.normal(size=(60, 1))
    y = X[:, :6] @ rng.normal(size=6) + rng.normal(size=60)
    path = fit_path(
        X, y, loss=HALF_SQUARED_ERROR, backend=NUMPY, l1_ratio=l1_ratio, tol=1e-10, n_strengths=40
    )
    centred = X - X.mean(axis=0)
    alphas, coefs, _ = enet_path(
        centred, y - y.mean(), l1_ratio=l1_ratio, alphas=40, tol=1e-14, max_iter=200_000
    )
    np.testing.assert_allclose(path.strengths, alphas, rtol=1e-12)
    np.testing.assert_allclose(path.W[:, :, 0], coefs.T, atol=2e-6)


def test_sparse_and_wide_columns() -> None:
    rng = np.random.default_rng(4)
    X = sp.random_array((80, 2100), density=0.05, format="csr", rng=rng)
    y = np.asarray(X[:, :5].sum(axis=1)).ravel() + 0.1 * rng.normal(size=80)
    for loss, target in ((HALF_SQUARED_ERROR, y), (HALF_BINOMIAL, (y > y.mean()) * 1.0)):
        for columns in (2100, 300):
            narrow = sp.csr_matrix(X[:, :columns])
            path = fit_path(
                narrow, target, loss=loss, backend=NUMPY, n_strengths=8, eps=0.05, tol=TOL,
                max_iter=1000,
            )  # fmt: skip
            for k, s in enumerate(path.strengths):
                found = optimality(
                    _At(path.W[k], path.b[k]), narrow.toarray(), target, np.ones(80), loss, s, 0.0
                )
                assert found <= 2.0 * TOL


def test_columns_far_off_centre() -> None:
    X, y, _ = problem(HALF_SQUARED_ERROR)
    near = fit_path(X, y, loss=HALF_SQUARED_ERROR, backend=NUMPY, n_strengths=6, eps=0.01)
    far = fit_path(X + 1e7, y, loss=HALF_SQUARED_ERROR, backend=NUMPY, n_strengths=6, eps=0.01)
    np.testing.assert_allclose(far.strengths, near.strengths, rtol=1e-6)
    np.testing.assert_allclose(far.W, near.W, atol=2e-3)


@pytest.mark.parametrize("far", [1e4, 1e8])
def test_targets_far_from_zero(far: float) -> None:
    X, y, _ = problem(HALF_SQUARED_ERROR)
    options: dict[str, Any] = {"loss": HALF_SQUARED_ERROR, "backend": NUMPY, "n_strengths": 6}
    near, path = fit_path(X, y, eps=0.01, **options), fit_path(X, y + far, eps=0.01, **options)
    np.testing.assert_allclose(path.W, near.W, atol=1e-15 * far + 1e-9, rtol=1e-6)
    np.testing.assert_allclose(path.b, near.b + far, rtol=1e-9)
    np.testing.assert_allclose(path.losses, near.losses, rtol=1e-14 * far + 1e-9)
    assert path.duality_gaps.min() > -1e-15 * far


@pytest.mark.parametrize(
    "options",
    [{"l1_ratio": 1.5}, {"l1_ratio": -0.5}, {"eps": 2.0}, {"eps": 0.0}, {"n_strengths": 0}],
)
def test_paths_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="l1_ratio must lie between 0 and 1"):
        path_of(NUMPY, HALF_SQUARED_ERROR, **options)


def test_hessians_that_change_too_fast() -> None:
    # The classes come apart: after the first groups each strength goes alone.
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    path = fit_path(X, y * 1.0, loss=HALF_BINOMIAL, backend=NUMPY, n_strengths=100, tol=1e-6)
    assert set(path.stop_reasons) == {CONVERGED}
    gentle = fit_path(X, y * 1.0, loss=HALF_BINOMIAL, backend=NUMPY, n_strengths=100, eps=0.01)
    assert gentle.n_passes < 50
    for k in (50, 99):
        found = optimality(
            _At(path.W[k], path.b[k]), X, y * 1.0, np.ones(len(y)), HALF_BINOMIAL,
            path.strengths[k], 0.0,
        )  # fmt: skip
        assert found <= 2e-6


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_many_models_are_read_in_small_blocks(dtype: Any) -> None:
    rng = np.random.default_rng(8)
    X = rng.integers(0, 5, (20_000, 300)).astype(dtype)
    y, W = rng.integers(0, 2, 20_000) * 1.0, rng.normal(size=(300, 2)) * 0.01
    numba = get_backend("numba")
    arguments = (X, y, None, W, np.zeros(2), HALF_BINOMIAL)
    expected = losses_gradients(*arguments, backend=numba, fused=False)
    losses_gradients(*arguments, backend=numba)  # compiles
    tracemalloc.start()
    found = losses_gradients(*arguments, backend=numba)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # X in float64 would be 48 MB
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-8)


def test_a_callback_sees_each_strength_and_may_end_the_path() -> None:
    seen: list[Any] = []

    def stop_at_four(record: Any) -> bool:
        W, _ = record.coefficients()
        seen.append((record.iteration, int(np.count_nonzero(W))))
        return record.iteration == 3

    for loss in (HALF_SQUARED_ERROR, HALF_BINOMIAL):
        seen.clear()
        path, *_ = path_of(NUMPY, loss, callbacks=[stop_at_four])
        assert [index for index, _ in seen] == [0, 1, 2, 3]
        assert seen[0][1] == 0
        assert seen[3][1] == np.count_nonzero(path.W[3]) > 0
        assert path.strengths.shape == (4,) == path.duality_gaps.shape


@pytest.mark.parametrize("strengths", [[], [0.1, -1.0], [0.0], [np.nan], [np.inf]])
def test_strengths_that_are_none(strengths: Any) -> None:
    with pytest.raises(ValueError, match=r"strengths .* greater than 0"):
        path_of(NUMPY, HALF_SQUARED_ERROR, strengths=strengths)


def test_a_ridge_path_has_no_beginning() -> None:
    with pytest.raises(ValueError, match=r"l1_ratio=0 .* Pass the strengths"):
        path_of(NUMPY, HALF_SQUARED_ERROR, l1_ratio=0.0)


@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_nan_is_named(backend: Backend, loss: Loss) -> None:
    X, y, _ = problem(loss)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"NaN .*column 2"):
        fit_path(backend.from_numpy(X), backend.from_numpy(y), loss=loss, backend=backend)


@pytest.mark.parametrize("loss", [HALF_SQUARED_ERROR, HALF_BINOMIAL], ids=lambda loss: loss.name)
def test_a_target_that_tells_nothing(loss: Loss) -> None:
    X, _, _ = problem(loss)
    path = fit_path(np.zeros_like(X), X[:, 0] > 0.5, loss=loss, backend=NUMPY, n_strengths=3)
    np.testing.assert_array_equal(path.W, 0.0)
