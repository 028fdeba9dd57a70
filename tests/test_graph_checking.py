"""The checker of derivatives: it passes what is right, and finds what is off by 0.1 %."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import check_gradients, custom_jvp, custom_vjp, namespace

xp = namespace(np)
A = np.random.default_rng(8).uniform(0.2, 0.9, size=(2, 3))


def test_what_is_right_passes_on_every_backend(backend: Backend) -> None:
    space = namespace(backend.xp)

    def model(parameters: Any, scale: Any) -> Any:
        out = space.tanh(parameters["W"] @ parameters["W"].T) * scale
        return {"out": out, "row": space.sum(space.exp(parameters["b"]) * out, axis=1)}

    W, b = backend.from_numpy(A), backend.from_numpy(A[0, :2].copy())
    scale = backend.from_numpy(np.asarray(1.5))
    report = check_gradients(model, {"W": W, "b": b}, scale, backend=backend)
    assert report.passed
    names = [one.name for one in report.comparisons]
    # Three arrays, two modes, and four ways to a second derivative.
    assert len(set(names)) == len(names) == 3 * (2 + 4)
    assert "argument 0 ['W']: forward over reverse" in names
    assert "argument 1: reverse" in names


def test_third_order_and_single_modes() -> None:
    report = check_gradients(lambda x: x**5, 0.7, modes=["forward"], order=3)
    ways = ["forward", "forward over forward", "forward over forward over forward"]
    assert [one.name for one in report.comparisons] == [f"argument 0: {way}" for way in ways]


def off_in_reverse() -> Any:
    return custom_vjp(lambda x: x * x, lambda g, value, x: (g * 2.002 * x,))


def test_a_backward_rule_that_is_off_by_a_thousandth_is_found() -> None:
    right = custom_vjp(lambda x: x * x, lambda g, value, x: (g * 2.0 * x,))
    assert check_gradients(right, A, modes=["reverse"]).passed

    def cost(a: Any, b: Any) -> Any:
        return xp.sum(a * off_in_reverse()(b))

    with pytest.raises(AssertionError) as raised:
        check_gradients(cost, A, A + 1.0, modes=["reverse"])
    message = str(raised.value)
    assert message.startswith("check_gradients of cost: the derivative with respect to argument 1")
    report = check_gradients(cost, A, A + 1.0, modes=["reverse"], raise_on_error=False)
    first = next(one for one in report.comparisons if not one.passed)
    assert first.name == "argument 1: reverse"
    np.testing.assert_allclose(first.relative_error, 0.001, rtol=0.01)
    place = f"at [{first.worst[0]}, {first.worst[1]}], is {first.gradient:.9g}; "
    assert place + f"differences of the function expect {first.difference:.9g}" in message


def test_a_forward_rule_that_is_off_by_a_thousandth_is_found() -> None:
    # Reverse mode of it is found from the forward rule, and is as wrong.
    sine = custom_jvp(np.sin, lambda t, value, x: 1.001 * t[0] * xp.cos(x))
    report = check_gradients(sine, A, order=1, raise_on_error=False)
    assert [one.passed for one in report.comparisons] == [False, False]


def test_a_second_derivative_alone_that_is_off_is_found() -> None:
    # The first one is right in value; what it is made of is off in its own derivative.
    factor = custom_vjp(lambda x: 2.0 * x, lambda g, value, x: (g * 2.002,))
    square = custom_vjp(lambda x: x * x, lambda g, value, x: (g * factor(x),))
    report = check_gradients(square, A, modes=["reverse"], raise_on_error=False)
    assert [one.passed for one in report.comparisons] == [True, False]
    with pytest.raises(AssertionError, match="argument 0: reverse over reverse, at"):
        check_gradients(square, A, modes=["reverse"])


def test_at_kinks_and_near_them() -> None:
    zero, ones = np.zeros(2), np.ones(2)
    assert check_gradients(xp.abs, zero, order=1).passed
    assert check_gradients(xp.maximum, ones, ones, order=1).passed
    # Two entries at the maximum move apart: the average of both sides again.
    assert check_gradients(xp.max, ones, order=1).passed
    near = np.asarray([1e-4, -1e-4])
    relu = check_gradients(lambda x: xp.where(x > 0.0, x, 0.0), near)
    assert relu.passed
    # What `where` took has its derivative, and differences average both sides.
    with pytest.raises(AssertionError, match=r"where the function has a kink there, move the"):
        check_gradients(lambda x: xp.where(x > 0.0, x, 0.0), zero, order=1)


def test_sizes_zero_and_one_and_many() -> None:
    assert check_gradients(lambda x: xp.sum(x * x), np.zeros((0, 3))).passed
    assert check_gradients(lambda x: xp.sum(x) * x, np.ones((1, 1))).passed
    report = check_gradients(lambda x: xp.sum(x**3), np.linspace(1, 2, 90), max_entries=7)
    assert {one.n_checked for one in report.comparisons} == {7}


@pytest.mark.parametrize(
    ("arguments", "options", "kind", "message"),
    [
        ((A,), {"modes": ["sideways"]}, ValueError, r"modes=\['sideways'\]\. Give a list of one"),
        ((A,), {"modes": "forward"}, ValueError, "modes='forward'"),
        ((A,), {"order": 0}, ValueError, "order=0. Give 1, 2 or more"),
        ((A,), {"method": "cubic"}, ValueError, "no 'cubic' differences"),
        ((A.astype(np.float32),), {}, ValueError, "float32. Differences need the digits"),
        ((np.arange(3),), {}, TypeError, "integers have no derivative"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    arguments: Any, options: Any, kind: Any, message: str
) -> None:
    with pytest.raises(kind, match=message):
        check_gradients(lambda x: x * x, *arguments, **options)


def test_a_function_that_returns_no_array_is_refused() -> None:
    for function, what in ((lambda x: None, "nothing"), (lambda x: [x, "a"], "str")):
        with pytest.raises(TypeError, match=f"returned {what}. It must return an array"):
            check_gradients(function, A)
