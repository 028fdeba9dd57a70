"""Random compositions of primitives: value, gradient and directional derivative equal JAX's.

A program is a list of operations on one array. Each keeps the numbers within a range in which all
of them are well conditioned, so that 1e-12 is asked of every entry, against the largest.
"""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings

from xpfit.core.graph import jvp, namespace, value_and_grad

xp = namespace(np)

# Of (namespace, array): what they take lies in [0.2, 1.5], and what they return near it.
UNARY: dict[str, Any] = {
    "negative": lambda n, x: 2.0 + n.negative(x),
    "abs": lambda n, x: n.abs(x - 3.0),
    "exp": lambda n, x: n.exp(0.5 * x),
    "expm1": lambda n, x: n.expm1(x),
    "log": lambda n, x: 1.0 + n.log(1.0 + x),
    "log1p": lambda n, x: n.log1p(x) + 0.5,
    "log2": lambda n, x: n.log2(1.5 + x),
    "log10": lambda n, x: n.log10(2.0 + x),
    "sqrt": lambda n, x: n.sqrt(x),
    "square": lambda n, x: n.square(x) + 0.2,
    "reciprocal": lambda n, x: n.reciprocal(0.5 + x),
    "sin": lambda n, x: 1.0 + n.sin(x),
    "cos": lambda n, x: 1.5 + n.cos(x),
    "tan": lambda n, x: 0.5 + n.tan(0.5 * x),
    "asin": lambda n, x: 0.5 + n.asin(0.5 * x),
    "acos": lambda n, x: n.acos(0.5 * x),
    "atan": lambda n, x: 0.3 + n.atan(x),
    "sinh": lambda n, x: n.sinh(0.7 * x) + 0.3,
    "cosh": lambda n, x: n.cosh(0.7 * x),
    "tanh": lambda n, x: 0.3 + n.tanh(x),
    "asinh": lambda n, x: 0.3 + n.asinh(x),
    "acosh": lambda n, x: n.acosh(1.3 + x),
    "atanh": lambda n, x: 0.3 + n.atanh(0.5 * x),
    "power of a number": lambda n, x: 1.5**x,
    "power by a number": lambda n, x: x**3 + 0.3,
    "where": lambda n, x: n.where(x > 0.8, x, 0.5 * x * x + 0.3),
    "clip": lambda n, x: n.clip(x, 0.31, 1.27),
    "softmax": lambda n, x: 0.3 + n.exp(x) / n.sum(n.exp(x), axis=-1, keepdims=True),
}
# Of an array and one that broadcasts with it.
BINARY: dict[str, Any] = {
    "add": lambda n, x, y: 0.5 * (x + y),
    "subtract": lambda n, x, y: 1.5 + x - y,
    "multiply": lambda n, x, y: x * y + 0.2,
    "divide": lambda n, x, y: x / (0.5 + y),
    "pow": lambda n, x, y: n.pow(x, y),
    "maximum": lambda n, x, y: n.maximum(x, y),
    "minimum": lambda n, x, y: n.minimum(x, y),
    "atan2": lambda n, x, y: n.atan2(x, y) + 0.2,
    "hypot": lambda n, x, y: n.hypot(x, y),
    "logaddexp": lambda n, x, y: n.logaddexp(x, y),
    "where of both": lambda n, x, y: n.where(x > 0.7, x, y),
}
# Of an array with two axes; they change its shape.
STRUCTURAL: dict[str, Any] = {
    "reshape": lambda n, x: n.reshape(x, (x.shape[1], x.shape[0])),
    "transpose": lambda n, x: n.matrix_transpose(x),
    "permute": lambda n, x: n.permute_dims(x, (1, 0)),
    "flip": lambda n, x: n.flip(x, axis=1),
    "slice": lambda n, x: x[:, 1:],
    "backwards": lambda n, x: x[::-1, ::2],
    "index": lambda n, x: x[:, np.asarray([0, 0])] if x.shape[1] else x,
    "new axis": lambda n, x: (x[None, :, :] + 0.0)[0],
    "concat": lambda n, x: n.concat([x, x * 0.5 + 0.2], axis=0),
    "stack": lambda n, x: (
        n.reshape(n.stack([x, x * x + 0.2], axis=1), (-1, x.shape[1])) if x.shape[1] else x
    ),
    "sum": lambda n, x: n.sum(x, axis=0, keepdims=True) / (x.shape[0] + 1) + 0.2,
    "mean": lambda n, x: n.mean(x, axis=1, keepdims=True) if x.shape[1] else x,
    "max": lambda n, x: n.max(x, axis=1, keepdims=True) if x.shape[1] else x,
    "min": lambda n, x: n.expand_dims(n.min(x, axis=0), axis=0) if x.shape[0] else x,
    "broadcast": lambda n, x: (
        n.reshape(n.broadcast_to(x, (2, *x.shape)), (-1, x.shape[1])) if x.shape[1] else x
    ),
    "matmul": lambda n, x: x @ n.matrix_transpose(x) / (x.shape[1] + 1) + 0.2,
    "cumulative sum": lambda n, x: n.cumulative_sum(x, axis=1) / (x.shape[1] + 1) + 0.2,
    "outer": lambda n, x: n.outer(x[0, :], x[0, :]) if x.shape[0] else x,
    "variance": lambda n, x: n.var(x, axis=0, keepdims=True) + 0.3 if x.shape[0] else x,
    "product": lambda n, x: n.prod(x, axis=0, keepdims=True) ** 0.1 if x.shape[0] else x,
}


# Few, and small ones: JAX compiles an operation for each shape that it meets.
SHAPES = [(0, 3), (1, 3), (3, 3)]
PROGRAMS = st.lists(
    st.sampled_from([*UNARY, *BINARY, *STRUCTURAL, *BINARY, *STRUCTURAL]), min_size=1, max_size=4
)


def run(n: Any, names: list[str], partners: list[int], x: Any, row: Any) -> Any:
    """One number: the program on x, then a weighted sum."""
    for name, partner in zip(names, partners, strict=True):
        if name in UNARY:
            x = UNARY[name](n, x)
        elif name in BINARY:
            # What broadcasts with x: itself, a row of it, a column of it, the number in `row`.
            others = [lambda x: 0.3 + 0.5 * x, lambda x: x[:1, :], lambda x: x[:, :1]]
            y = row if partner == 3 or 0 in x.shape else others[partner](x)
            x = BINARY[name](n, x, y) if partner % 2 else BINARY[name](n, y, x)
        elif max(x.shape) <= 3:
            x = STRUCTURAL[name](n, x)
        # Back into the range, smoothly.
        x = 0.85 + 0.6 * n.tanh(x - 0.85)
    weight = np.cos(np.arange(float(np.prod(x.shape)))).reshape(x.shape)
    return n.sum(x * weight) + n.sum(row)


def _agree(own: Any, other: Any) -> None:
    other = np.asarray(other)
    assert own.shape == other.shape
    scale = float(np.max(np.abs(other), initial=1.0))
    np.testing.assert_allclose(own, other, rtol=1e-12, atol=1e-12 * scale)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(
    names=PROGRAMS,
    partners=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 2**16),
)
def test_random_compositions_equal_those_of_jax(
    names: list[str], partners: list[int], shape: tuple[int, ...], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x, row = rng.uniform(0.3, 1.4, shape), rng.uniform(0.3, 1.4, (1, 1))
    tangents = rng.normal(size=shape), rng.normal(size=(1, 1))
    partners = partners[: len(names)]

    def ours(x: Any, row: Any) -> Any:
        return run(xp, names, partners, x, row)

    def theirs(x: Any, row: Any) -> Any:
        return run(jnp, names, partners, x, row)

    value, found = value_and_grad(ours, (0, 1))(x, row)
    want_value, pull = jax.vjp(theirs, x, row)
    want = pull(jnp.ones(()))
    np.testing.assert_allclose(value, want_value, rtol=1e-12)
    for own, other in zip(found, want, strict=True):
        _agree(own, other)
    # Forward mode: the gradient of JAX, whose own forward mode would compile as much again.
    products = np.concatenate([np.ravel(g * t) for g, t in zip(want, tangents, strict=True)])
    along = jvp(ours, (x, row), tangents)[1]
    np.testing.assert_allclose(along, products.sum(), rtol=1e-12, atol=1e-12 * abs(products).sum())
