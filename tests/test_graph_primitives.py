"""Primitives at their edges: every floating dtype, sizes 0 and 1, ties, diagonals, libraries."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.graph import check_gradients, grad, hessian, hvp, jacobian, jvp, namespace
from xpfit.core.graph.elementwise import FACTORS, FLAT

xp = namespace(np)
rng = np.random.default_rng(5)
A = rng.uniform(0.2, 0.8, (3, 3))

# Of arrays with two axes, (namespace, x).
STRUCTURAL: dict[str, Any] = {
    "sum": lambda n, x: n.sum(x, axis=0),
    "mean": lambda n, x: n.mean(x * x, axis=0) if x.shape[0] else x,
    "max": lambda n, x: n.max(x, axis=0) if x.shape[0] else x,
    "min": lambda n, x: n.min(x, axis=0, keepdims=True) if x.shape[0] else x,
    "reshape": lambda n, x: n.reshape(x, (1, *x.shape)) ** 2,
    "expand and squeeze": lambda n, x: n.squeeze(n.expand_dims(x * x, axis=1), axis=1),
    "transpose": lambda n, x: n.matrix_transpose(x) ** 2,
    "broadcast": lambda n, x: n.broadcast_to(x, (2, *x.shape)) ** 2,
    "row": lambda n, x: x * n.sum(x, axis=0, keepdims=True),
    "to size 0": lambda n, x: x[:1, :] + n.reshape(x[:0, :1], (0, 1)) if x.shape[0] else x,
    "where": lambda n, x: n.where(x > 0.5, x * x, 0.0),
    "clip": lambda n, x: n.clip(x, 0.3, 0.6) ** 2,
    "matmul": lambda n, x: x @ n.matrix_transpose(x),
    "vector": lambda n, x: x @ x[0, :] if x.shape[0] else x,
    "cumulative sum": lambda n, x: n.cumulative_sum(x, axis=0) ** 2,
    "flip": lambda n, x: n.flip(x, axis=0) * x,
    "index": lambda n, x: x[:, np.asarray([0, 0])] ** 2,
    "none": lambda n, x: x[None, ..., 0] ** 2,
    "concat": lambda n, x: n.concat([x, x * x], axis=0),
    "stack": lambda n, x: n.stack([x, x * x], axis=0),
    "variance": lambda n, x: n.var(x, axis=1),
    "product": lambda n, x: n.prod(x, axis=0),
    "triangle": lambda n, x: n.tril(x) ** 2,
    "diagonal": lambda n, x: n.diagonal(x) ** 2,
    "number to the power": lambda n, x: 2.0**x,
    "power of a number": lambda n, x: x**3,
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", [*FACTORS, *FLAT, *STRUCTURAL])
def test_every_mode_keeps_the_dtype(name: str, dtype: Any) -> None:
    x = A.astype(dtype) + (dtype(1.0) if name == "acosh" else dtype(0.0))
    if name in STRUCTURAL:

        def cost(x: Any) -> Any:
            return xp.sum(STRUCTURAL[name](xp, x))
    else:
        others = (x[::-1],) * (len(FACTORS.get(name, (None,))) - 1)

        def cost(x: Any) -> Any:
            return xp.sum(getattr(xp, name)(x, *others))

    first, along, second = grad(cost)(x), jvp(cost, (x,), (x,))[1], hvp(cost, x, x)
    assert (first.dtype, along.dtype, second.dtype) == (dtype, dtype, dtype)
    # The directional derivative is the gradient times the direction, to the digits there are.
    eps = float(np.finfo(dtype).eps)
    wide = first.astype(np.float64) * x.astype(np.float64)
    np.testing.assert_allclose(along, wide.sum(), rtol=40 * eps, atol=40 * eps * abs(wide).sum())


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("name", STRUCTURAL)
def test_sizes_zero_and_one(name: str, shape: tuple[int, ...]) -> None:
    x = rng.uniform(0.2, 0.9, shape)
    # Away from the kinks of where and clip.
    assert check_gradients(lambda x: STRUCTURAL[name](xp, x), x, order=1).passed
    assert hvp(lambda x: xp.sum(STRUCTURAL[name](xp, x)), x, x).shape == shape


@pytest.mark.parametrize("name", [name for name, factors in FACTORS.items() if len(factors) == 2])
@pytest.mark.parametrize("shapes", [((0, 3), (1, 3)), ((1, 1), (2, 3)), ((3,), (2, 1)), ((), (2,))])
def test_broadcasting_from_and_to_sizes_zero_and_one(name: str, shapes: Any) -> None:
    a, b = (rng.uniform(0.2, 0.9, shape) for shape in shapes)
    for pair in ((a, b), (b, a)):
        assert check_gradients(getattr(xp, name), *pair, order=1).passed


TIES = np.asarray([[2.0, 2.0, 1.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    "function",
    [
        lambda n, x: n.max(x, axis=1),
        lambda n, x: n.min(x, axis=0),
        lambda n, x: n.max(x),
        lambda n, x: n.maximum(x, x[:, ::-1]),
        lambda n, x: n.minimum(x, 0.0),
        lambda n, x: n.sign(x),
        lambda n, x: n.prod(x, axis=1),
        lambda n, x: x**2,
        lambda n, x: n.square(x) * n.sin(x),
    ],
)
def test_ties_and_zeros(function: Any) -> None:
    want = jax.jacobian(lambda x: function(jnp, x))(TIES)
    for mode in ("forward", "reverse"):
        found = jacobian(lambda x: function(xp, x), mode=mode)(TIES)
        np.testing.assert_allclose(found, want, rtol=1e-14)


def test_numbers_without_axes() -> None:
    half = np.asarray(0.5)
    for function in (
        lambda x: xp.sum(xp.sum(x * x, axis=0)),
        lambda x: xp.sum(xp.cumulative_sum(x * x)),
        lambda x: xp.max(x * x, axis=0),
    ):
        for found in (grad(function)(half), jvp(function, (half,), (np.asarray(1.0),))[1]):
            np.testing.assert_array_equal(found, 1.0)
            assert np.shape(found) == ()


STACK = rng.normal(size=(2, 3, 4))


@pytest.mark.parametrize("offset", [-3, -1, 0, 2, 4])
def test_diagonals_of_stacks(offset: int) -> None:
    for ours, want in [
        (lambda x: xp.diagonal(x, offset), np.diagonal(STACK, offset)),
        (lambda x: xp.diagonal(x, offset, 2, -2), np.diagonal(STACK, offset, 2, -2)),
        (lambda x: xp.trace(x, offset, axis1=1, axis2=2), np.trace(STACK, offset, 1, 2)),
        (lambda x: xp.linalg.diagonal(x, offset=offset), np.linalg.diagonal(STACK, offset=offset)),
        (lambda x: xp.linalg.trace(x, offset=offset), np.linalg.trace(STACK, offset=offset)),
    ]:
        np.testing.assert_array_equal(ours(STACK), want)
        np.testing.assert_allclose(jvp(ours, (STACK,), (STACK,))[1], want, rtol=1e-14)
        assert check_gradients(ours, STACK, order=1).passed
    with pytest.raises(ValueError, match=r"linalg.trace of a node was asked of the axes -2 and -1"):
        grad(lambda x: xp.linalg.trace(x))(np.ones(2))
    with pytest.raises(ValueError, match="axes 1 and -1"):
        grad(lambda x: xp.diagonal(x, 0, 1, -1))(np.ones((2, 2)))


def test_arrays_stay_those_of_their_library(backend: Backend) -> None:
    space, x = namespace(backend.xp), backend.from_numpy(A)

    def cost(x: Any) -> Any:
        y = space.pow(x[:, 0], x[0, :]) + space.maximum(x[1, :], x[:, 1]) * space.hypot(x, x.T)
        return space.sum(space.linalg.diagonal(y @ x[None, ...]) ** 2)

    for found in (grad(cost)(x), hvp(cost, x, x), hessian(cost)(x)):
        assert isinstance(found, backend.array_type)
    assert check_gradients(cost, x, backend=backend, max_entries=3).passed
    assert space.sum(x).shape == ()
