"""The graph at infinities, in NumPy's call forms, and with what it cannot follow."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import (
    Variable,
    checkpoint,
    custom_jvp,
    custom_vjp,
    grad,
    hessian,
    implicit,
    jacobian,
    jvp,
    namespace,
    no_grad,
    value_and_grad,
)

xp = namespace(np)
INFINITE = np.asarray([np.inf, -np.inf, 0.5, 2.0])
A = np.random.default_rng(3).uniform(0.2, 0.9, size=(2, 3))


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda n, x: n.sum(n.sqrt(n.where(x > 0, x, 0.0))), np.asarray([-1.0, 4.0])),
        (lambda n, x: n.sum(n.sqrt(n.where(x > 0, x, 0))), np.asarray([-1.0, 4.0])),
        (lambda n, x: n.max(x), INFINITE),
        (lambda n, x: n.min(x), INFINITE),
        (lambda n, x: n.max(x), np.asarray([-np.inf, 1.0])),
        (lambda n, x: n.sum(n.maximum(x, 1.0)), INFINITE),
        (lambda n, x: n.sum(n.minimum(x, 1.0)), INFINITE),
        (lambda n, x: n.sum(n.clip(x, 0.0, 1.0)), INFINITE),
        (lambda n, x: 3.0 + 0.0 * n.sum(x[2:]), INFINITE),
    ],
)
def test_infinities_are_not_multiplied_by_zero(function: Any, x: Any) -> None:
    value, found = value_and_grad(lambda z: function(xp, z))(x)
    want_value, want = jax.value_and_grad(lambda z: function(jnp, z))(x)
    np.testing.assert_array_equal(value, want_value)
    np.testing.assert_array_equal(found, want)


def test_what_has_no_part_has_zero_and_not_nan() -> None:
    np.testing.assert_array_equal(grad(lambda x: 5.0)(INFINITE), np.zeros(4))
    _, tangent = jvp(lambda x: INFINITE, (INFINITE,), (np.ones(4),))
    np.testing.assert_array_equal(tangent, np.zeros(4))
    taken = custom_jvp(lambda a, b: a, lambda t, value, a, b: t[0] + t[1])
    with np.errstate(all="raise"):
        found = grad(lambda a: xp.sum(taken(a, INFINITE)))(np.ones(4))
    np.testing.assert_array_equal(found, np.ones(4))
    x = Variable(np.inf)
    (x * 2.0).backward()
    assert float(x.grad) == 2.0
    np.testing.assert_array_equal(xp.clip(INFINITE, 0, 1), [1.0, 0.0, 0.5, 1.0])
    second = hessian(lambda a: xp.sum(xp.where(a > 1.5, a * a, 0.0)))(np.asarray([1.0, 2.0]))
    np.testing.assert_array_equal(second, [[0.0, 0.0], [0.0, 2.0]])
    # The zeros of a transform within another one are of the outer one, on every library.
    assert float(grad(lambda a: a + grad(lambda b: 5.0)(a))(2.0)) == 1.0


def test_zeros_of_nested_transforms(backend: Backend) -> None:
    space, x = namespace(backend.xp), backend.from_numpy(np.asarray([1.0, 2.0]))
    found = grad(lambda a: space.sum((grad(lambda b: space.sum(x))(a) + a) * a))(x)
    np.testing.assert_array_equal(backend.to_numpy(found), [2.0, 4.0])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda n, x: n.sum(x * x, 0), lambda n, x: n.sum(x * x, 0)),
        (lambda n, x: n.mean(x * x, 1), lambda n, x: n.mean(x * x, 1)),
        (lambda n, x: n.max(x, 1, keepdims=True), lambda n, x: n.max(x, 1, keepdims=True)),
        (lambda n, x: n.amin(x, -1), lambda n, x: n.min(x, -1)),
        (lambda n, x: n.flip(x, 1) * x, lambda n, x: n.flip(x, 1) * x),
        (lambda n, x: n.expand_dims(x, 1) ** 2, lambda n, x: n.expand_dims(x, 1) ** 2),
        (lambda n, x: n.squeeze(x[:1], 0) ** 2, lambda n, x: n.squeeze(x[:1], 0) ** 2),
        (lambda n, x: n.cumsum(x, 1) ** 2, lambda n, x: n.cumsum(x, 1) ** 2),
        (lambda n, x: n.concat([x, x], 1) ** 2, lambda n, x: n.concatenate([x, x], 1) ** 2),
        (lambda n, x: n.concat([x, x], None) ** 2, lambda n, x: n.concatenate([x, x], None) ** 2),
        (lambda n, x: n.stack([x, x * x], 1), lambda n, x: n.stack([x, x * x], 1)),
        (lambda n, x: n.reshape(x, (3, 2)) ** 2, lambda n, x: n.reshape(x, (3, 2)) ** 2),
        (lambda n, x: n.reshape(x, shape=(-1,)) ** 2, lambda n, x: n.reshape(x, (-1,)) ** 2),
        (lambda n, x: n.permute_dims(x, axes=(-1, 0)), lambda n, x: n.transpose(x, (1, 0))),
        (lambda n, x: n.transpose(x, (1, 0)) ** 2, lambda n, x: n.transpose(x, (1, 0)) ** 2),
        (lambda n, x: n.broadcast_to(x, shape=(1, 2, 3)), lambda n, x: x[None] * 1.0),
        (
            lambda n, x: n.cumulative_sum(x, axis=1, include_initial=True) ** 2,
            lambda n, x: n.cumulative_sum(x, axis=1, include_initial=True) ** 2,
        ),
        (lambda n, x: n.full_like(A, x[0, 0]) * x, lambda n, x: n.full_like(A, x[0, 0]) * x),
        (lambda n, x: n.std(x, 1), lambda n, x: n.std(x, 1)),
        (lambda n, x: n.var(x, axis=0, ddof=1), lambda n, x: n.var(x, axis=0, ddof=1)),
        (lambda n, x: n.var(x, keepdims=True), lambda n, x: n.var(x, keepdims=True)),
        (lambda n, x: n.prod(x), lambda n, x: n.prod(x)),
        (lambda n, x: n.prod(x - A[0, 0], axis=1), lambda n, x: n.prod(x - A[0, 0], axis=1)),
        (lambda n, x: n.prod(x[:0], 0), lambda n, x: n.prod(x[:0], 0)),
        (lambda n, x: n.take(x, [0, 2, 2], 1), lambda n, x: x[:, jnp.asarray([0, 2, 2])]),
        (lambda n, x: n.take(x, 4) ** 2, lambda n, x: n.take(x, 4) ** 2),
        (lambda n, x: n.tril(x, 1) ** 2, lambda n, x: n.tril(x, 1) ** 2),
        (lambda n, x: n.triu(x) ** 2, lambda n, x: n.triu(x) ** 2),
        (lambda n, x: n.diagonal(x) ** 2, lambda n, x: n.diagonal(x) ** 2),
        (lambda n, x: n.diagonal(x.T) ** 2, lambda n, x: n.diagonal(x.T) ** 2),
        (lambda n, x: n.trace(x * x), lambda n, x: n.trace(x * x)),
        (lambda n, x: n.linalg.norm(x), lambda n, x: n.linalg.norm(x)),
        (lambda n, x: n.linalg.norm(x, 2, 1), lambda n, x: n.linalg.norm(x, 2, 1)),
        (lambda n, x: n.linalg.vector_norm(x), lambda n, x: n.linalg.vector_norm(x)),
    ],
)  # fmt: skip
def test_call_forms_of_numpy(ours: Any, theirs: Any) -> None:
    for own, other in (
        (jacobian(lambda x: ours(xp, x), mode="reverse"), jax.jacobian(lambda x: theirs(jnp, x))),
        (jacobian(lambda x: ours(xp, x), mode="forward"), jax.jacobian(lambda x: theirs(jnp, x))),
    ):
        np.testing.assert_allclose(own(A), other(A), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: xp.histogram(x), "histogram was given a node.*custom_vjp"),
        (lambda x: xp.linalg.det(x), r"linalg\.det was given a node"),
        (lambda x: xp.hstack([x, x]), "hstack was given a node"),
        (lambda x: xp.sum(x, 0, np.float32), "sum of a node was given 0, .*float32"),
        (lambda x: xp.reshape(x, (4,), order="F"), "reshape of a node was given order='F'"),
        (
            lambda x: xp.sum(x, where=x > 0.0),
            r"where=an array of shape \(2, 2\).*takes axis, keepdims",
        ),
        (lambda x: xp.sum(a=x), "by the name a"),
    ],
)
def test_what_no_rule_knows_is_refused(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        grad(function)(np.ones((2, 2)))


def test_plain_arrays_pass_unlisted_functions() -> None:
    x = np.asarray([3.0, 4.0])
    assert xp.linalg.norm(x, 1) == 7.0
    assert xp.linalg.det(np.eye(2)) == 1.0
    assert xp.cbrt(8.0) == 2.0
    assert xp.float64 is np.float64
    assert xp.pi == np.pi
    assert xp.std(x, ddof=1) == np.std(x, ddof=1)
    with pytest.raises(ValueError, match=r"ord=1 of an array of shape \(2,\)"):
        grad(lambda z: xp.linalg.norm(z, 1))(x)
    with pytest.raises(ValueError, match=r"trace of a node.*axes 0 and 1.*shape \(2,\)"):
        grad(lambda z: xp.trace(z))(x)


def test_nodes_that_a_function_closes_over() -> None:
    assert float(grad(lambda w: checkpoint(lambda x: x * w)(w))(2.0)) == 4.0
    two, one = np.asarray(2.0), np.asarray(1.0)
    assert float(jvp(lambda w: checkpoint(lambda x: x * w)(w), (two,), (one,))[1]) == 4.0
    assert float(grad(grad(lambda w: checkpoint(lambda x: x * w * w)(w)))(2.0)) == 12.0
    # One of a transform further out is a constant of the inner one: d/dw (w * 1) = 1
    inner = grad(lambda w: grad(lambda y: checkpoint(lambda x: x * w)(y))(1.0))
    assert float(inner(2.0)) == 1.0
    for wrapped in (
        lambda w: custom_vjp(lambda x: x * w, lambda g, value, x: (g,))(w),
        lambda w: custom_vjp(lambda x: x * 1.0, lambda g, value, x: (g * w,))(w),
        lambda w: custom_jvp(lambda x: x * w, lambda t, value, x: t[0])(w),
        lambda w: implicit(lambda x, y: y - w * x, lambda x: x * w)(w),
        lambda w: implicit(lambda x, y: y - w * x, lambda x: x * 2.0)(w),
    ):
        with pytest.raises(TypeError, match="Pass it as an argument"):
            grad(wrapped)(2.0)
    with pytest.raises(TypeError, match="Pass it as an argument"):
        jvp(lambda w: custom_jvp(lambda x: x * 1.0, lambda t, v, x: t[0] * w)(w), (two,), (one,))
    with pytest.raises(TypeError, match="returned tuple with 2 arrays"):
        grad(lambda x: checkpoint(lambda z: (z, z))(x)[0])(1.0)


def test_custom_functions_of_custom_functions() -> None:
    mine = custom_vjp(checkpoint(lambda x: x * x), lambda g, value, x: (g * 100.0,))
    assert float(grad(mine)(3.0)) == 100.0
    with no_grad():
        assert float(checkpoint(lambda x: x * x)(Variable(3.0))) == 9.0


def test_argnums_and_aux_are_checked() -> None:
    for transform in (grad, jacobian):
        with pytest.raises(TypeError, match=r"argnums=5 and was given 1 arguments"):
            transform(lambda x: x * x, 5)(np.ones(()))
        assert float(transform(lambda x, y: x * y, -1)(np.asarray(2.0), np.asarray(3.0))) == 2.0
    with pytest.raises(TypeError, match="by position"):
        grad(lambda x: x * x)(x=2.0)
    with pytest.raises(TypeError, match="has_aux=True, and the function returned Node"):
        grad(lambda x: x * x, has_aux=True)(2.0)
    with pytest.raises(TypeError, match="tuple of length 3"):
        grad(lambda x: (x, x, x), has_aux=True)(2.0)


def test_a_root_may_not_depend_on_a_node_from_around() -> None:
    def of(c: Any) -> Any:
        return implicit(lambda y, x: y * y - x * c, lambda y: np.sqrt(y * 2.0))(np.asarray(4.0))

    with pytest.raises(TypeError, match="uses a node from around it"):
        grad(of)(2.0)
    with pytest.raises(TypeError, match="called with 2 arguments"):
        implicit(lambda x, y: y - x, lambda x: x)(1.0, 2.0)


@pytest.mark.parametrize(
    "backward",
    [lambda g, v, x: g * 2.0 * x, lambda g, v, x: (7.0,), lambda g, v, x: (g, g),
     lambda g, v, x: (np.ones(5),)],
)  # fmt: skip
def test_a_backward_pass_returns_a_part_for_each_argument(backward: Any) -> None:
    square = custom_vjp(lambda x: x * x, backward)
    with pytest.raises(TypeError, match="Return a tuple with one part of the argument's shape"):
        grad(lambda a: xp.sum(square(a)))(np.asarray([3.0, 4.0]))


def test_what_people_try_first_is_answered() -> None:
    x = Variable(np.asarray([1.0, 2.0]))
    for attempt in (lambda: (x * 2.0).sum(), lambda: x.reshape(2, 1), lambda: (x * 2.0).item()):
        with pytest.raises(AttributeError, match=r"xp\.sum\(x\)"):
            attempt()
    with pytest.raises(AttributeError, match=r"w\.value = w\.value - step"):
        _ = (x * 2.0).grad
    with pytest.raises(TypeError, match="takes one array: concatenate the parameters"):
        hessian(lambda p: p["a"] ** 2)({"a": np.asarray(1.0)})
