"""Every optimizer against PyTorch's and against the papers' loops, step for step; and that it
minimizes."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
from optimizer_cases import CASES, N_STEPS, PROBLEM, loop_trajectory
from stored_references import stored

from xpfit.backends import Backend
from xpfit.core.optimizers import SGD, Adam, Optimizer, apply_updates, tree_map
from xpfit.core.schedules import Cosine

WITH_TORCH = [name for name, case in CASES.items() if case.torch is not None]
RTOL, ATOL = 1e-12, 1e-14


def trajectory(optimizer: Optimizer, backend: Backend) -> list[dict[str, Any]]:
    """The parameters after each step, on the host."""
    update, params = backend.jit(optimizer.update), tree_map(backend.from_numpy, PROBLEM.start)
    state, found = optimizer.init(params), []
    for step in range(N_STEPS):
        point = tree_map(backend.to_numpy, optimizer.lookahead(params, state))
        grads = {k: backend.from_numpy(PROBLEM.gradient(k, step, v)) for k, v in point.items()}
        updates, state = update(grads, state, params)
        # Through the host, so that the arrays are read-only where the target's are.
        moved = tree_map(backend.to_numpy, apply_updates(params, updates))
        params = tree_map(backend.from_numpy, moved)
        found.append(moved)
    return found


@functools.cache
def loops(name: str) -> list[dict[str, Any]]:
    return loop_trajectory(CASES[name])


def torch_trajectory(name: str) -> list[dict[str, Any]]:
    kept = {key: stored("torch")[f"optimizer/{name}/{key}"] for key in PROBLEM.start}
    return [{key: steps[step] for key, steps in kept.items()} for step in range(N_STEPS)]


def assert_same_steps(actual: Any, expected: Any) -> None:
    for step, (here, there) in enumerate(zip(actual, expected, strict=True)):
        for key in there:
            np.testing.assert_allclose(
                here[key], there[key], rtol=RTOL, atol=ATOL, err_msg=f"{key}, step {step + 1}"
            )


@pytest.mark.parametrize("name", CASES)
def test_steps_are_those_of_the_papers_loop(name: str, backend: Backend) -> None:
    assert_same_steps(trajectory(CASES[name].optimizer, backend), loops(name))


@pytest.mark.parametrize("name", WITH_TORCH)
def test_steps_are_those_of_pytorch(name: str, backend: Backend) -> None:
    assert_same_steps(trajectory(CASES[name].optimizer, backend), torch_trajectory(name))


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("sgd-decay", {"weight_decay": 0.1001}),
        ("momentum-dampened", {"dampening": 0.0}),
        ("nesterov", {"nesterov": False}),
        ("adagrad-start-decay", {"initial_accumulator": 0.4995}),
        ("rmsprop", {"epsilon_inside_root": True}),
        ("rmsprop-centered", {"centered": False}),
        ("adam", {"beta2": 0.9989}),
        ("adam-amsgrad", {"amsgrad": False}),
        ("adamw", {"epsilon": 1.001e-8}),
    ],
)
def test_a_wrong_option_is_noticed(name: str, planted: dict[str, Any]) -> None:
    from xpfit.backends import get_backend

    wrong = dataclasses.replace(CASES[name].optimizer, **planted)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        assert_same_steps(trajectory(wrong, get_backend("numpy")), loops(name))


def test_the_rearranged_nesterov_visits_the_lookahead_points() -> None:
    curvature, rate = np.array([1.0, 30.0]), 0.02
    rearranged = SGD(rate, momentum=0.9, nesterov=True, weight_decay=0.3)
    textbook = dataclasses.replace(rearranged, nesterov="lookahead")
    params = there = np.array([3.0, -1.0])
    state, state_there = rearranged.init(params), textbook.init(there)
    for _ in range(50):
        point = textbook.lookahead(there, state_there)
        np.testing.assert_allclose(params, point, rtol=1e-12, atol=1e-14)
        updates, state = rearranged.update(curvature * params, state, params)
        params = apply_updates(params, updates)
        updates, state_there = textbook.update(curvature * point, state_there, there)
        there = apply_updates(there, updates)
    assert np.abs(params).max() < 0.5


def test_the_two_forms_of_momentum_differ_by_a_factor_of_the_learning_rate() -> None:
    # Powers of two: not even the last bit differs.
    accumulated = SGD(0.125, momentum=0.75, nesterov=True)
    average = SGD(0.5, momentum=0.75, nesterov=True, momentum_form="average")
    p = q = np.array([3.0, -1.0])
    state, other = accumulated.init(p), average.init(q)
    for _ in range(30):
        updates, state = accumulated.update(p, state, p)
        p = apply_updates(p, updates)
        updates, other = average.update(q, other, q)
        q = apply_updates(q, updates)
    np.testing.assert_array_equal(p, q)


def minimize(optimizer: Optimizer, gradient: Any, start: Any, n_steps: int) -> Any:
    params = np.asarray(start)
    state = optimizer.init(params)
    for _ in range(n_steps):
        grads = gradient(optimizer.lookahead(params, state))
        updates, state = optimizer.update(grads, state, params)
        params = apply_updates(params, updates)
    return params


def rosenbrock_gradient(x: Any) -> Any:
    bend = x[1] - x[0] ** 2
    return np.array([-400.0 * x[0] * bend - 2.0 * (1.0 - x[0]), 200.0 * bend])


# Learning rates at the start, for the quadratic and for Rosenbrock's valley.
RATES = {
    "sgd": (0.018, 0.0015),
    "momentum": (0.015, 0.0005),
    "momentum-average": (0.15, 0.005),
    "nesterov": (0.015, 0.0005),
    "nesterov-average": (0.15, 0.005),
    "nesterov-lookahead": (0.015, 0.0005),
    "nesterov-lookahead-average": (0.15, 0.005),
    "adagrad": (0.5, 0.5),
    "adagrad-inside": (0.5, 0.5),
    "rmsprop": (0.05, 0.01),
    "rmsprop-momentum": (0.05, 0.01),
    "rmsprop-centered": (0.05, 0.01),
    "adam": (0.1, 0.05),
    "adam-amsgrad": (0.1, 0.3),
    "adam-inside": (0.1, 0.05),
    "adamw": (0.1, 0.05),
}


def without_decay(name: str, rate: float, n_steps: int) -> Optimizer:
    schedule = Cosine(rate, period=n_steps, restarts=False)
    return dataclasses.replace(CASES[name].optimizer, learning_rate=schedule, weight_decay=0.0)


@pytest.mark.parametrize("name", RATES)
def test_a_badly_scaled_quadratic_is_minimized(name: str) -> None:
    curvature, center = np.array([1.0, 10.0, 100.0]), np.array([1.0, -2.0, 0.5])
    optimizer = without_decay(name, RATES[name][0], 2000)
    found = minimize(optimizer, lambda x: curvature * (x - center), np.zeros(3), 2000)
    np.testing.assert_allclose(found, center, atol=1e-4)


@pytest.mark.parametrize("name", RATES)
def test_rosenbrocks_valley_is_followed_to_its_end(name: str) -> None:
    optimizer = without_decay(name, RATES[name][1], 10_000)
    x, y = minimize(optimizer, rosenbrock_gradient, np.array([-1.2, 1.0]), 10_000)
    # 24.2 at the start; 1e-3 is 0.03 from the minimum at (1, 1), along the valley.
    assert 100.0 * (y - x**2) ** 2 + (1.0 - x) ** 2 < 1e-3


def test_epsilon_of_a_gradient_that_is_zero_divides_nothing() -> None:
    for case in CASES.values():
        params = np.zeros(3)
        updates, _ = case.optimizer.update(params, case.optimizer.init(params), params)
        np.testing.assert_array_equal(updates, np.zeros(3))


def test_a_constant_gradient_leaves_no_negative_variance() -> None:
    optimizer = dataclasses.replace(CASES["rmsprop-centered"].optimizer, beta2=0.1)
    params, state = np.ones(1000), optimizer.init(np.ones(1000))
    grads = np.random.default_rng(0).normal(size=1000)
    for _ in range(60):
        updates, state = optimizer.update(grads, state, params)
        assert np.isfinite(updates).all()


def test_nan_is_not_swallowed(backend: Backend) -> None:
    grads = backend.from_numpy(np.array([np.nan, 1.0]))
    params = backend.from_numpy(np.ones(2))
    for name in ("momentum", "adagrad", "rmsprop-centered", "adam", "adam-amsgrad"):
        optimizer = CASES[name].optimizer
        updates, _ = optimizer.update(grads, optimizer.init(params), params)
        assert np.isnan(backend.to_numpy(updates)).tolist() == [True, False], name


def test_the_learning_rate_of_one_step_can_be_given() -> None:
    params, grads = np.array([1.0]), np.array([2.0])
    optimizer = Adam(0.1)
    usual, _ = optimizer.update(grads, optimizer.init(params), params)
    longer, _ = optimizer.update(grads, optimizer.init(params), params, learning_rate=0.3)
    np.testing.assert_allclose(longer, 3.0 * usual, rtol=1e-15)
