"""Each schedule at named steps, against PyTorch's and scikit-learn's, on arrays and traced."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from schedule_cases import N_RATES, TORCH, WARM_UP_THEN_DECAY
from stored_references import stored

from xpfit.backends import Backend
from xpfit.core.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    InverseTime,
    OneCycle,
    Optimal,
    StepHalving,
    WarmUp,
    get_schedule,
)

HALF = math.sqrt(0.5)
AT_STEPS: dict[str, tuple[Any, dict[int, float]]] = {
    "constant": (Constant(0.1), {0: 0.1, 99: 0.1}),
    "inverse_time": (InverseTime(1.0, decay=0.25), {0: 1.0, 1: 0.8, 4: 0.5, 396: 0.01}),
    "inverse_time-every": (InverseTime(1.0, decay=1.0, every=10), {9: 1.0, 10: 0.5, 39: 0.25}),
    "exponential": (Exponential(2.0, decay=math.log(2.0) / 8), {0: 2.0, 8: 1.0, 24: 0.25}),
    "exponential-every": (Exponential(1.0, decay=1.0, every=3), {2: 1.0, 3: math.exp(-1)}),
    "halving": (StepHalving(1.0, every=5), {0: 1.0, 4: 1.0, 5: 0.5, 14: 0.25, 15: 0.125}),
    "halving-restart": (
        StepHalving(1.0, every=2, period=5),
        {0: 1.0, 2: 0.5, 4: 0.25, 5: 1.0, 7: 0.5, 9: 0.25, 10: 1.0},
    ),
    "halving-restart-lower": (
        StepHalving(1.0, every=2, period=5, restart_factor=0.5),
        {0: 1.0, 4: 0.25, 5: 0.5, 7: 0.25, 9: 0.125, 10: 0.25, 20: 0.0625},
    ),
    "cosine": (
        Cosine(1.0, period=4, minimum=0.2),
        {0: 1.0, 1: 0.6 + 0.4 * HALF, 2: 0.6, 3: 0.6 - 0.4 * HALF, 4: 1.0, 6: 0.6},
    ),
    "cosine-longer": (
        Cosine(1.0, period=3, period_factor=2),
        {0: 1.0, 3: 1.0, 6: 0.5, 8: 0.5 * (1 - math.sqrt(0.75)), 9: 1.0, 15: 0.5, 21: 1.0},
    ),
    "cosine-once": (Cosine(1.0, period=4, restarts=False), {0: 1.0, 2: 0.5, 4: 0.0, 9: 0.0}),
    "one_cycle": (
        OneCycle(1.0, total_steps=21, warm_up_share=11 / 21, start_divisor=10, end_divisor=100),
        {0: 0.1, 5: 0.55, 10: 1.0, 15: 0.5005, 20: 0.001, 21: 0.001, 500: 0.001},
    ),
    "one_cycle-three": (
        OneCycle(
            1.0, total_steps=31, warm_up_share=11 / 31, start_divisor=10, three_phase=True
        ),
        {0: 0.1, 10: 1.0, 15: 0.55, 20: 0.1, 30: 1e-5, 40: 1e-5},
    ),
    "warm_up": (WarmUp(4, 0.8, start=0.5), {0: 0.4, 1: 0.5, 3: 0.7, 4: 0.8, 100: 0.8}),
    "warm_up-then": (
        WarmUp(2, InverseTime(1.0, decay=1.0), start=0.0),
        {0: 0.0, 1: 0.5, 2: 1.0, 3: 0.5, 5: 0.25},
    ),
    "invscaling": (InverseScaling(1.0, power=0.5), {0: 1.0, 3: 0.5, 99: 0.1}),
    "optimal": (Optimal(0.0001), {0: 10.0, 1000: 5.0, 9000: 1.0}),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_STEPS)
def test_named_steps(name: str) -> None:
    schedule, expected = AT_STEPS[name]
    for step, value in expected.items():
        found = schedule(step)
        assert type(found) is float
        assert found == pytest.approx(value, rel=1e-13, abs=1e-15), step
        assert schedule(np.int64(step)) == found


@pytest.mark.parametrize("name", AT_STEPS)
def test_an_array_of_steps_gives_an_array(name: str, backend: Backend) -> None:
    schedule, steps = AT_STEPS[name][0], np.arange(200)
    evaluate = backend.jit(schedule.__call__)
    found = backend.to_numpy(evaluate(backend.from_numpy(steps)))
    assert found.dtype == np.float64
    expected = [schedule(int(step)) for step in steps]
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", AT_STEPS)
def test_a_traced_step_compiles_once(name: str, jax_backend: Backend) -> None:
    import jax

    schedule, traces = AT_STEPS[name][0], []

    @jax.jit
    def rate(step: Any) -> Any:
        traces.append(step)
        return schedule(step)

    found = [float(rate(step)) for step in range(60)]
    np.testing.assert_allclose(found, [schedule(s) for s in range(60)], rtol=1e-13, atol=1e-15)
    assert len(traces) == 1


def test_a_restart_is_never_off_by_one() -> None:
    for period in (1, 3, 7, 49, 1000):
        for factor in (1, 2, 3, 10):
            schedule, start, length = Cosine(1.0, period, factor), 0, period
            while start < 10**7 and start // period < 1000:
                assert schedule(start) == 1.0, (period, factor, start)
                assert length == 1 or schedule(start + length - 1) < 1.0, (period, factor, start)
                start, length = start + length, length * factor


@pytest.mark.parametrize("name", TORCH)
def test_two_hundred_steps_are_those_of_pytorch(name: str) -> None:
    found = [TORCH[name][0](step) for step in range(N_RATES)]
    expected = stored("torch")[f"schedule/{name}"]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_a_warm_up_into_a_schedule_is_pytorchs_sequence() -> None:
    found = [WARM_UP_THEN_DECAY(step) for step in range(N_RATES)]
    expected = stored("torch")["schedule/warm-up then decay"]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["optimal", "invscaling"])
def test_scikit_learns_rates(name: str) -> None:
    from sklearn.linear_model import SGDRegressor

    options = {"eta0": 0.3, "power_t": 0.4} if name == "invscaling" else {}
    schedule = InverseScaling(0.3, 0.4) if name == "invscaling" else Optimal(0.02)
    model = SGDRegressor(
        learning_rate=name, alpha=0.02, penalty="l2", fit_intercept=False, **options
    )
    rng, coefficient = np.random.default_rng(0), 0.0
    for step in range(50):
        x, y = 0.1 * rng.normal(), rng.normal()
        model.partial_fit([[x]], [y])
        rate = schedule(step)
        # It shrinks first, then steps by the gradient at the old point.
        gradient = (coefficient * x - y) * x
        coefficient = coefficient * (1.0 - rate * 0.02) - rate * gradient
        np.testing.assert_allclose(model.coef_, [coefficient], rtol=1e-10)


WRONG = [
    (Constant, {"learning_rate": 0.0}, ValueError, r"Constant\(learning_rate=0.0\).* > 0"),
    (InverseTime, {"learning_rate": 1.0, "decay": -1.0}, ValueError, r"decay=-1.0.* >= 0"),
    (Exponential, {"learning_rate": 1.0, "decay": 0.1, "every": 0}, ValueError, "integer >= 1"),
    (StepHalving, {"learning_rate": 1.0, "every": 2.5}, TypeError, r"every=2.5\).* integer >= 1"),
    (StepHalving, {"learning_rate": 1.0, "every": 1, "factor": 2.0}, ValueError, r"\(0, 1\]"),
    (
        StepHalving, {"learning_rate": 1.0, "every": 1, "restart_factor": 0.5}, ValueError,
        "without a period nothing restarts",
    ),
    (Cosine, {"learning_rate": 1.0, "period": 0}, ValueError, "period must be an integer >= 1"),
    (Cosine, {"learning_rate": 1.0, "period": 9, "period_factor": 1.5}, TypeError, "integer"),
    (Cosine, {"learning_rate": 1.0, "period": 9, "minimum": 2.0}, ValueError, r"in \[0, 1\]"),
    (OneCycle, {"learning_rate": 1.0, "total_steps": 1}, ValueError, "integer >= 2"),
    (OneCycle, {"learning_rate": 1.0, "total_steps": 3}, ValueError, "end at steps"),
    (
        OneCycle,
        {"learning_rate": 1.0, "total_steps": 30, "warm_up_share": 0.6, "three_phase": True},
        ValueError, "three_phase=True.* longer than nothing",
    ),
    (WarmUp, {"steps": 3, "then": -1.0}, ValueError, r"then must be a number > 0"),
    (WarmUp, {"steps": 3, "then": 1.0, "start": 1.5}, ValueError, r"in \[0, 1\]"),
    (InverseScaling, {"learning_rate": 1.0, "power": "2"}, TypeError, "power must be a number"),
    (Optimal, {"l2_reg_strength": 0.0}, ValueError, "must be a number > 0"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "error", "text"), WRONG)
def test_options_out_of_range_are_refused(
    kind: Any, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        kind(**options)


def test_a_step_before_the_first_is_refused() -> None:
    with pytest.raises(ValueError, match="Constant was asked for step -1: steps start at 0"):
        Constant(0.1)(-1)


def test_schedules_are_found_by_name() -> None:
    assert get_schedule("cosine", learning_rate=0.1, period=5) == Cosine(0.1, 5)
    assert get_schedule("optimal", l2_reg_strength=0.1) == Optimal(0.1)
    assert get_schedule(0.1) == Constant(0.1)

    def own(step: Any) -> float:
        return 0.1

    assert get_schedule(own) is own
    with pytest.raises(
        ValueError, match=r"unknown schedule 'cosin' \(from schedule= of MLP\).*Did"
    ):
        get_schedule("cosin", source="schedule= of MLP")
    with pytest.raises(TypeError, match=r"cannot be made: missing .*'period'.* Its options are: "):
        get_schedule("cosine", learning_rate=0.1)
    with pytest.raises(TypeError, match="has no option T_0"):
        get_schedule("cosine", T_0=3)
    with pytest.raises(TypeError, match="together with period"):
        get_schedule(own, period=3)
    with pytest.raises(TypeError, match="no schedule, and no name of one"):
        get_schedule(None)  # type: ignore[arg-type]
