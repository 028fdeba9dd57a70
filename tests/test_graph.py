"""The computation graph: every primitive in both modes and twice, against JAX; what it refuses."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import (
    elementwise_grad,
    grad,
    hessian,
    jacobian,
    jvp,
    namespace,
    value_and_grad,
)
from xpfit.core.losses import (
    HALF_BINOMIAL,
    HALF_POISSON,
    HALF_SQUARED_ERROR,
    SQUARED_HINGE,
    Loss,
    huber,
)
from xpfit.core.network import ACTIVATIONS
from xpfit.core.network.activations import Activation

xp = namespace(np)
rng = np.random.default_rng(17)
A, B = rng.uniform(0.2, 0.9, size=(2, 3)), rng.uniform(0.3, 0.8, size=(2, 3))
SQUARE = rng.normal(size=(3, 3)) + 3.0 * np.eye(3)

# Each takes a namespace and arrays; both derivatives of both modes must equal JAX's.
UNARY = [
    "negative", "abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "sin",
    "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "atanh", "sign",
    "reciprocal",
]  # fmt: skip
BINARY = [
    "add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "atan2", "hypot",
    "logaddexp",
]  # fmt: skip
CASES: dict[str, Any] = {name: (lambda n, a, b, f=name: getattr(n, f)(a)) for name in UNARY}
CASES |= {name: (lambda n, a, b, f=name: getattr(n, f)(a, b)) for name in BINARY}
CASES |= {
    "acosh": lambda n, a, b: n.acosh(1.5 + a),
    "row broadcast": lambda n, a, b: a * b[0] + b[:, :1],
    "numbers": lambda n, a, b: 2.0 / (3.0 - a) ** 2 + 1.5**b - (-a),
    "sum": lambda n, a, b: n.sum(a * a, axis=0) * n.sum(b),
    "sum kept": lambda n, a, b: a / n.sum(a, axis=1, keepdims=True),
    "mean": lambda n, a, b: n.mean(a * b, axis=1) + n.mean(a),
    "max": lambda n, a, b: n.max(a * b, axis=1) + n.max(a),
    "min": lambda n, a, b: n.min(a, axis=(0, 1)) * n.min(b, axis=0, keepdims=True),
    "where": lambda n, a, b: n.where(A > 0.5, a * b, n.exp(a)),
    "clip": lambda n, a, b: n.clip(a, 0.3, 0.7) * b,
    "reshape": lambda n, a, b: n.reshape(a * b, (3, 2)) ** 2,
    "transpose": lambda n, a, b: a.T * n.matrix_transpose(b),
    "permute": lambda n, a, b: n.permute_dims(a, (1, 0)) ** 2,
    "broadcast": lambda n, a, b: n.broadcast_to(a[0], (4, 3)) ** 2,
    "expand": lambda n, a, b: (
        n.expand_dims(a, axis=1) * n.squeeze(n.expand_dims(b, axis=0), axis=0)
    ),
    "slice": lambda n, a, b: a[:, 1:] * b[::2, :2],
    "fancy": lambda n, a, b: a[:, np.asarray([0, 0, 2])] ** 2,
    "concat": lambda n, a, b: n.concat([a, b * a, a], axis=1) ** 2,
    "stack": lambda n, a, b: n.stack([a, b], axis=1) ** 2,
    "matmul": lambda n, a, b: (a @ b.T) ** 2,
    "matrix vector": lambda n, a, b: (a @ b[0]) ** 2,
    "vector matrix": lambda n, a, b: (a[:, 0] @ b) ** 2,
    "vectors": lambda n, a, b: (a[0] @ b[1]) ** 2,
    "outer": lambda n, a, b: n.outer(a[0], b[1]) ** 2,
    "dot": lambda n, a, b: n.dot(a, b.T) ** 2,
    "einsum": lambda n, a, b: n.einsum("ij,kj->ik", a, b) ** 2,
    "cumulative sum": lambda n, a, b: n.cumulative_sum(a * b, axis=1) ** 2,
    "flip": lambda n, a, b: n.flip(a, axis=1) * b,
    "solve": lambda n, a, b: _solve(n)(a.T @ a + SQUARE, b[0]) ** 2,
    "log-sum-exp": lambda n, a, b: n.log(n.sum(n.exp(a - n.max(a)))) + n.max(a),
}


def _solve(n: Any) -> Any:
    return n.linalg.solve if n is jnp else n.solve


def _number(case: Any, n: Any, a: Any, b: Any) -> Any:
    # Weighted, so that errors of sign and place do not cancel.
    value = case(n, a, b)
    weight = np.cos(np.arange(int(np.prod(value.shape)))).reshape(value.shape)
    return n.sum(value * weight)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_both_modes_and_orders_equal_those_of_jax(case: Any) -> None:
    def ours(a: Any, b: Any) -> Any:
        return _number(case, xp, a, b)

    def theirs(a: Any, b: Any) -> Any:
        return _number(case, jnp, a, b)

    value, found = value_and_grad(ours, (0, 1))(A, B)
    want_value, want = jax.value_and_grad(theirs, (0, 1))(A, B)
    np.testing.assert_allclose(value, want_value, rtol=1e-12)
    for own, other in zip(found, want, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12)
    tangents = np.sin(A), np.cos(B)
    _, along = jvp(ours, (A, B), tangents)
    np.testing.assert_allclose(along, jax.jvp(theirs, (A, B), tangents)[1], rtol=1e-11, atol=1e-12)
    for k in (0, 1):
        second = jax.hessian(theirs, k)(A, B)
        np.testing.assert_allclose(hessian(ours, k)(A, B), second, rtol=1e-10, atol=1e-11)
        twice = jacobian(grad(ours, k), k, mode="reverse")(A, B)
        np.testing.assert_allclose(twice, second, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "loss",
    [HALF_SQUARED_ERROR, HALF_BINOMIAL, HALF_POISSON, SQUARED_HINGE, huber(0.8)],
    ids=lambda loss: loss.name,
)
def test_the_losses_of_core(backend: Backend, loss: Loss) -> None:
    space = namespace(backend.xp)
    y = backend.from_numpy((rng.random(40) > 0.5).astype(np.float64))
    raw = backend.from_numpy(rng.normal(size=40) * 3.0)

    # The operators of array-api-strict refuse what they do not know, so y must be a node too.
    def value(target: Any, r: Any) -> Any:
        return loss.value(space, target, r, *loss.parameters)

    def slope(target: Any, r: Any) -> Any:
        return loss.gradient(space, target, r, *loss.parameters)

    first, second = (elementwise_grad(f, (0, 1))(y, raw)[1] for f in (value, slope))
    numbers = loss.parameters
    for found, formula in ((first, loss.gradient), (second, loss.curvature)):
        want = backend.to_numpy(formula(backend.xp, y, raw, *numbers) + 0.0 * raw)
        np.testing.assert_allclose(backend.to_numpy(found), want, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "name", [name for name, kind in ACTIVATIONS.items() if issubclass(kind, Activation)]
)
def test_the_activations_of_core(backend: Backend, name: str) -> None:
    layer, space = ACTIVATIONS[name](), namespace(backend.xp)
    assert isinstance(layer, Activation)
    x = backend.from_numpy(rng.normal(size=(5, 7)) * 2.0)
    kept = layer.value(backend.xp, x) if layer.from_output else x
    found = elementwise_grad(lambda z: layer.value(space, z))(x)
    want = backend.to_numpy(layer.derivative(backend.xp, kept))
    np.testing.assert_allclose(backend.to_numpy(found), want, rtol=1e-11, atol=1e-13)
