"""Clipped gradients and averaged parameters, against PyTorch, scikit-learn and the definitions."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from descent_cases import EMA_DECAY, GRADS, MAX_NORMS, points
from helpers import assert_matches
from stored_references import stored

from xpfit.backends import Backend
from xpfit.core.optimizers import (
    ExponentialAverage,
    PolyakAverage,
    clip_by_global_norm,
    clip_by_value,
    leaves,
    tree_map,
)


def on(backend: Backend, tree: Any) -> Any:
    return tree_map(backend.from_numpy, tree)


def test_values_are_clipped(backend: Backend) -> None:
    grads = on(backend, {**GRADS, "n": np.array([np.nan, np.inf], np.float32)})
    clipped = clip_by_value(grads, 2.0)
    assert_matches(clipped["W"], np.array([[2.0, -2.0], [0.5, 1e-3]]), backend=backend, rtol=0.0)
    assert_matches(clipped["n"], np.array([np.nan, 2.0], np.float32), backend=backend, rtol=0.0)


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 13.0, 13.5, 100.0])
def test_the_global_norm_is_clipped(max_norm: float, backend: Backend) -> None:
    clipped, norm = clip_by_global_norm(on(backend, GRADS), max_norm)
    expected = np.sqrt(9.0 + 16.0 + 0.25 + 1e-6 + 144.0)
    assert_matches(norm, np.array(expected), backend=backend, rtol=1e-14)
    factor = min(1.0, max_norm / (expected + 1e-6))
    for found, given in zip(leaves(clipped), leaves(GRADS), strict=True):
        assert_matches(found, given * factor, backend=backend, rtol=1e-14)


@pytest.mark.parametrize("max_norm", MAX_NORMS)
def test_clipping_is_that_of_pytorch(max_norm: float, backend: Backend) -> None:
    theirs = stored("torch")
    clipped, norm = clip_by_global_norm(on(backend, GRADS), max_norm)
    expected = theirs[f"clipping/{max_norm}/norm"]
    assert_matches(norm, expected, backend=backend, rtol=1e-14)
    for i, found in enumerate(leaves(clipped)):
        assert_matches(found, theirs[f"clipping/{max_norm}/{i}"], backend=backend, rtol=1e-14)


@pytest.mark.parametrize("size", [1e-30, 1e30, 1e37])
def test_squares_neither_overflow_nor_vanish_in_float32(size: float, backend: Backend) -> None:
    grads = on(backend, [np.array([3.0 * size], np.float32), np.array([4.0 * size], np.float32)])
    clipped, norm = clip_by_global_norm(grads, 1.0)
    assert_matches(norm, np.array(5.0 * size, np.float32), backend=backend, rtol=1e-6)
    if size > 1.0:
        assert_matches(clipped[1], np.array([0.8], np.float32), backend=backend, rtol=1e-6)


def test_dtypes_may_differ_and_stay(backend: Backend) -> None:
    grads = on(backend, [np.array([3e30], np.float32), np.array([4e30])])
    clipped, norm = clip_by_global_norm(grads, 5.0)
    assert_matches(norm, np.array(5e30), backend=backend, rtol=1e-6)
    assert_matches(clipped[0], np.array([3.0], np.float32), backend=backend, rtol=1e-6)
    assert_matches(clipped[1], np.array([4.0]), backend=backend, rtol=1e-6)


def test_zero_stays_zero_and_nan_stays_nan(backend: Backend) -> None:
    clipped, norm = clip_by_global_norm(on(backend, [np.zeros(3), np.zeros(2)]), 1.0)
    assert float(norm) == 0.0
    assert_matches(clipped[0], np.zeros(3), backend=backend, rtol=0.0)
    clipped, norm = clip_by_global_norm(on(backend, [np.array([np.nan, 1.0]), np.ones(2)]), 1.0)
    assert np.isnan(float(norm))
    assert all(np.isnan(backend.to_numpy(leaf)).all() for leaf in clipped)
    with np.errstate(invalid="ignore"):  # NumPy warns of 0 * inf
        clipped, norm = clip_by_global_norm(on(backend, [np.array([np.inf, 1.0])]), 1.0)
    assert float(norm) == np.inf
    np.testing.assert_array_equal(backend.to_numpy(clipped[0]), [np.nan, 0.0])


def test_clipping_runs_compiled(jax_backend: Backend) -> None:
    clipped, norm = jax_backend.jit(lambda g: clip_by_global_norm(g, 1.0))(on(jax_backend, GRADS))
    expected, there = clip_by_global_norm(GRADS, 1.0)
    np.testing.assert_allclose(norm, there, rtol=1e-14)
    np.testing.assert_allclose(clipped["W"], expected["W"], rtol=1e-14)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), "1", None])
def test_limits_must_be_positive(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"clip_by_global_norm\(max_norm=.* must be a number > 0"):
        clip_by_global_norm(GRADS, wrong)
    with pytest.raises(ValueError, match=r"clip_by_value\(limit="):
        clip_by_value(GRADS, wrong)


def test_nothing_to_clip() -> None:
    clipped, norm = clip_by_global_norm({"a": None}, 1.0)
    assert clipped == {"a": None}
    assert float(norm) == 0.0


def averages(kind: Any, values: Any, backend: Backend) -> list[Any]:
    update, found = backend.jit(kind.update), []
    # Python's own scalar is no array of a backend.
    values = [on(backend, tree_map(np.asarray, value)) for value in values]
    state = kind.init(values[0])
    for value in values:
        state = update(value, state)
        found.append(tree_map(backend.to_numpy, state.average))
    return found


@pytest.mark.parametrize("start", [1, 2, 7])
def test_polyaks_average_is_the_mean_since_its_start(start: int, backend: Backend) -> None:
    values = points(20)
    found = averages(PolyakAverage(start), values, backend)
    for step, average in enumerate(found, 1):
        since = values[min(start, step) - 1 : step] if step >= start else values[step - 1 : step]
        np.testing.assert_allclose(average["w"], np.mean([v["w"] for v in since], axis=0))
        np.testing.assert_allclose(average["b"][0], np.mean([v["b"][0] for v in since]))
    np.testing.assert_array_equal(found[start - 1]["w"], values[start - 1]["w"])


def test_the_exponential_average_starts_at_the_first_parameters(backend: Backend) -> None:
    values = points(20)
    found = averages(ExponentialAverage(0.9), values, backend)
    expected = values[0]["w"]
    np.testing.assert_array_equal(found[0]["w"], expected)
    for value, average in zip(values[1:], found[1:], strict=True):
        expected = 0.9 * expected + (1.0 - 0.9) * value["w"]
        np.testing.assert_allclose(average["w"], expected, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("polyak", PolyakAverage()), ("exponential", ExponentialAverage(EMA_DECAY))],
)
def test_averages_are_those_of_pytorch(name: str, kind: Any, backend: Backend) -> None:
    expected = stored("torch")[f"average/{name}"]
    found = averages(kind, points(len(expected)), backend)
    np.testing.assert_allclose([average["w"] for average in found], expected, rtol=1e-12)


def test_the_start_is_that_of_scikit_learns_average() -> None:
    from sklearn.linear_model import SGDRegressor

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 2)), rng.normal(size=30)
    options = {"learning_rate": "constant", "eta0": 0.05, "fit_intercept": False}
    plain, averaged = SGDRegressor(**options), SGDRegressor(average=10, **options)
    mean = PolyakAverage(start=10)
    state = mean.init(np.zeros(2))
    for i in range(30):
        plain.partial_fit(X[i : i + 1], y[i : i + 1])
        averaged.partial_fit(X[i : i + 1], y[i : i + 1])
        state = mean.update(plain.coef_.copy(), state)
        np.testing.assert_allclose(state.average, averaged.coef_, rtol=1e-10)


@pytest.mark.parametrize("kind", [PolyakAverage(2), ExponentialAverage(0.9)])
def test_averages_keep_float32_and_hold_their_own_memory(kind: Any, backend: Backend) -> None:
    params = backend.from_numpy(np.ones(2, np.float32))
    state = kind.update(params, kind.update(params, kind.init(params)))
    assert_matches(state.average, np.ones(2, np.float32), backend=backend, rtol=1e-6)
    assert state.average is not params


def test_averages_that_do_not_fit_and_options_out_of_range_are_refused() -> None:
    mean = PolyakAverage()
    with pytest.raises(ValueError, match=r"state\.average does not fit params"):
        mean.update([np.ones(2)], copy.copy(mean.init(np.ones(2))))
    with pytest.raises(
        ValueError, match=r"PolyakAverage\(start=0\): start must be an integer >= 1"
    ):
        PolyakAverage(start=0)
    with pytest.raises(ValueError, match=r"ExponentialAverage\(decay=1.0\).*\[0, 1\)"):
        ExponentialAverage(decay=1.0)
