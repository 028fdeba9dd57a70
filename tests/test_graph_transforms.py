"""Derivatives of functions: nesting, trees, edges, refusals, variables, and derivatives given."""

from __future__ import annotations

import math
import threading
import weakref
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xpfit.core.graph import (
    Variable,
    checkpoint,
    custom_jvp,
    custom_vjp,
    directional_derivative,
    grad,
    hessian,
    hvp,
    implicit,
    jacobian,
    jvp,
    namespace,
    no_grad,
    value_and_grad,
    vjp,
)

xp = namespace(np)


def test_nested_derivatives_are_not_confused() -> None:
    # d/dx [x * d/dy (x y**2)] = d/dx [2 x**2 y]
    assert float(grad(lambda x: x * grad(lambda y: x * y * y)(3.0))(2.0)) == 24.0
    # Forward within forward, along x and y: d/dx (x d/dy (x + y)) = 1
    found = directional_derivative(
        lambda x: x * directional_derivative(lambda y: x + y, np.asarray(1.0), np.asarray(1.0)),
        np.asarray(5.0), np.asarray(1.0),
    )  # fmt: skip
    assert float(found) == 1.0


def test_higher_orders() -> None:
    x = np.asarray(0.7)
    f = grad(grad(grad(xp.sin)))
    np.testing.assert_allclose(f(x), -np.cos(x))

    def quartic(z: Any) -> Any:
        return xp.sum(z**4) + z[0] * z[1]

    z = np.asarray([1.0, 2.0])
    np.testing.assert_allclose(hessian(quartic)(z), [[12.0, 1.0], [1.0, 48.0]])
    np.testing.assert_allclose(hvp(quartic, z, np.asarray([1.0, 1.0])), [13.0, 49.0])


def test_trees_argnums_and_aux() -> None:
    params = {"W": np.ones((2, 2)), "b": [np.zeros(2), 3.0]}

    def model(p: Any, x: Any) -> Any:
        out = x @ p["W"] + p["b"][0] * p["b"][1]
        return xp.sum(out * out), {"out": out}

    (value, aux), found = value_and_grad(model, has_aux=True)(params, np.asarray([[1.0, 2.0]]))
    assert float(value) == 18.0
    assert isinstance(aux["out"], np.ndarray)
    np.testing.assert_allclose(found["W"], [[6.0, 6.0], [12.0, 12.0]])
    np.testing.assert_allclose(found["b"][0], [18.0, 18.0])
    assert float(found["b"][1]) == 0.0
    both = grad(lambda a, b: a * b, (0, 1))(2.0, 5.0)
    assert [float(part) for part in both] == [5.0, 2.0]


def test_jacobians_by_both_modes() -> None:
    def f(x: Any) -> Any:
        return xp.stack([x[0] * x[1], x[1] ** 2, xp.sin(x[0]) * x[2]])

    x = np.asarray([1.0, 2.0, 3.0])
    want = jax.jacobian(lambda x: jnp.stack([x[0] * x[1], x[1] ** 2, jnp.sin(x[0]) * x[2]]))(x)
    for mode in ("auto", "forward", "reverse"):
        np.testing.assert_allclose(jacobian(f, mode=mode)(x), want, rtol=1e-14)
    value, pull = vjp(f, x)
    for row in range(3):
        np.testing.assert_allclose(pull(np.eye(3)[row])[0], want[row])
    assert value.shape == (3,)


def test_edges() -> None:
    assert grad(lambda x: abs(x))(0.0) == 0.0
    np.testing.assert_array_equal(
        grad(lambda x: xp.sum(xp.maximum(x, 1.0)))(np.asarray([0.5, 1.0, 2.0])), [0.0, 0.5, 1.0]
    )
    np.testing.assert_array_equal(grad(lambda x: xp.max(x))(np.asarray([2.0, 2.0])), [0.5, 0.5])
    assert grad(lambda x: x**0)(0.0) == 0.0
    assert grad(lambda x: x**2)(0.0) == 0.0
    # What was not taken has no part, infinite or not.
    safe = grad(lambda x: xp.where(x > 0.0, xp.log(xp.where(x > 0.0, x, 1.0)), 0.0))
    assert safe(0.0) == 0.0
    empty = np.zeros((0, 3))
    assert grad(lambda x: xp.sum(x * x))(empty).shape == (0, 3)
    assert grad(lambda x: xp.sum(x + empty))(np.ones((1, 3))).tolist() == [[0.0, 0.0, 0.0]]
    assert grad(lambda x: 5.0)(1.0) == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept(dtype: Any) -> None:
    x = np.asarray([0.5, 1.5], dtype=dtype)
    found = grad(lambda z: xp.sum(2.0 * xp.tanh(z) ** 2 + xp.where(z > 1.0, z, 0.0) / 3.0))(x)
    assert found.dtype == dtype


def test_a_change_of_dtype_is_followed() -> None:
    x = np.asarray([0.5, 1.5], dtype=np.float32)
    found = grad(lambda z: xp.sum(xp.astype(z, np.float64) ** 2))(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, 2.0 * x)
    assert xp.astype(x, np.int64).dtype == np.int64


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda x: x.__setitem__(0, 1.0), r"x\[...\] = y"),
        (lambda x: x.__iadd__(1.0), r"x \+= y"),
        (lambda x: x.__imul__(2.0), r"x \*= y"),
    ],
)
def test_changes_in_place_are_refused(change: Any, what: str) -> None:
    with pytest.raises(TypeError, match=f"{what} was asked of a node.*Make a new array"):
        grad(lambda x: change(x))(np.ones(2))


def test_what_has_no_gradient_is_refused() -> None:
    with pytest.raises(TypeError, match=r"shape \(2,\).*jacobian or elementwise_grad"):
        grad(lambda x: x * 2.0)(np.ones(2))
    with pytest.raises(TypeError, match=r"int64: integers have no derivative"):
        grad(lambda x: xp.sum(x))(np.arange(3))
    with pytest.raises(TypeError, match="type str"):
        grad(lambda x: x)("a")
    with pytest.raises(ValueError, match="mode='sideways'"):
        jacobian(lambda x: x, mode="sideways")


def test_what_would_lose_a_derivative_is_refused() -> None:
    for lost in (lambda a: float(a) ** 2, math.exp, lambda a: int(a) * a):
        with pytest.raises(TypeError, match="its derivative would be lost"):
            grad(lost)(2.0)
    with pytest.raises(TypeError, match=r"returned NoneType.*return missing"):
        grad(lambda a: None)(2.0)
    with pytest.raises(TypeError, match=r"namespace\(xp\)"):
        grad(lambda a: np.linalg.norm(a))(np.ones(2))
    # NumPy's own element-wise functions find their way.
    assert float(grad(lambda a: np.exp(a) * np.float64(2.0))(0.0)) == 2.0


def test_shapes_of_directions_are_checked() -> None:
    x = np.ones(3)
    with pytest.raises(ValueError, match=r"tangent of shape \[\(2,\)\]"):
        hvp(lambda z: xp.sum(z**3), x, np.ones(2))
    with pytest.raises(ValueError, match=r"derivative of shape \[\(2, 3\)\]"):
        vjp(xp.sin, x)[1](np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"gradient of shape \(1,\)"):
        (Variable(x) * 2.0).backward(np.ones(1))


def test_a_long_chain_and_what_it_keeps() -> None:
    kept: list[Any] = []

    class Array(np.ndarray):
        pass

    def chain(x: Any) -> Any:
        y = x
        for _ in range(100_000):
            y = y * 1.0
        return xp.sum(y)

    x = np.ones(2).view(Array)
    kept.append(weakref.ref(x))
    np.testing.assert_array_equal(grad(chain)(x), 1.0)
    del x
    assert kept[0]() is None


def test_an_error_leaves_nothing_behind() -> None:
    def broken(x: Any) -> Any:
        raise RuntimeError("own")  # noqa: EM101

    with pytest.raises(RuntimeError, match="own"):
        grad(broken)(1.0)
    assert float(grad(lambda x: x * x)(3.0)) == 6.0


def test_threads_do_not_disturb_each_other() -> None:
    found: dict[int, float] = {}

    def work(k: int) -> None:
        total = 0.0
        for _ in range(50):
            total = float(grad(lambda x: grad(lambda y: x * y**3)(x))(float(k)))
        found[k] = total

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # d/dx (3 x**3) = 9 x**2
    assert found == {k: 9.0 * k * k for k in range(4)}


def test_variables_add_up_their_gradients() -> None:
    x, y = Variable(np.asarray([1.0, 2.0]), "x"), Variable(3.0, "y")
    z = xp.sum(x * x) * y
    z.backward()
    np.testing.assert_allclose(x.grad, [6.0, 12.0])
    assert float(y.grad) == 5.0
    z.backward()
    np.testing.assert_allclose(x.grad, [12.0, 24.0])
    x.zero_grad()
    assert x.grad is None
    (x * 2.0).backward(np.asarray([1.0, 10.0]))
    np.testing.assert_allclose(x.grad, [2.0, 20.0])
    with pytest.raises(TypeError, match=r"shape \(2,\) without a gradient"):
        (x * 2.0).backward()
    with no_grad():
        assert isinstance(x * 2.0, np.ndarray)
    # A transform around a variable sees it as a constant of its own, and it still follows.
    w = grad(lambda t: xp.sum(t * t * x))(np.asarray([1.0, 1.0]))
    xp.sum(w).backward()
    np.testing.assert_allclose(x.grad, [4.0, 22.0])


def test_checkpoint_is_the_same_function() -> None:
    def piece(x: Any, k: Any) -> Any:
        return xp.sin(x) * k + x

    x = np.asarray([0.3, 0.7])
    plain = grad(lambda x: xp.sum(piece(piece(x, 2.0), x)))
    dropped = checkpoint(piece)
    again = grad(lambda x: xp.sum(dropped(dropped(x, 2.0), x)))
    np.testing.assert_allclose(again(x), plain(x), rtol=1e-14)
    second = hessian(lambda x: xp.sum(dropped(dropped(x, 2.0), x)))(x)
    np.testing.assert_allclose(
        second, hessian(lambda x: xp.sum(piece(piece(x, 2.0), x)))(x), rtol=1e-13
    )


def test_derivatives_of_ones_own() -> None:
    x = np.asarray([0.5, 2.0])
    halved = custom_vjp(lambda x: x * 1.0, lambda g, value, x: (0.5 * g,))
    np.testing.assert_allclose(grad(lambda x: xp.sum(halved(x) * x))(x), 1.5 * x)
    with pytest.raises(TypeError, match="no forward one"):
        jvp(halved, (x,), (x,))
    sine = custom_jvp(np.sin, lambda t, value, x: t[0] * xp.cos(x))
    np.testing.assert_allclose(grad(lambda x: xp.sum(sine(x)))(x), np.cos(x))
    np.testing.assert_allclose(jvp(sine, (x,), (x,))[1], x * np.cos(x))
    np.testing.assert_allclose(hessian(lambda x: xp.sum(sine(x)))(x), np.diag(-np.sin(x)))


def test_implicit_functions() -> None:
    # x y + sin(y) = y
    def residual(x: Any, y: Any) -> Any:
        return x * y + xp.sin(y) - y

    def solve(x: Any) -> Any:
        y = np.full_like(x, 1.5)
        for _ in range(60):
            y = y - residual(x, y) / (x + np.cos(y) - 1.0)
        return y

    root, x = implicit(residual, solve), np.asarray(0.2)
    y = solve(x)
    want = -y / (x + np.cos(y) - 1.0)
    np.testing.assert_allclose(grad(root)(x), want, rtol=1e-12)
    np.testing.assert_allclose(jvp(root, (x,), (np.asarray(1.0),))[1], want, rtol=1e-12)
    step = 1e-4
    around = (float(grad(root)(x + step)) - float(grad(root)(x - step))) / (2 * step)
    np.testing.assert_allclose(grad(grad(root))(x), around, rtol=1e-5)
