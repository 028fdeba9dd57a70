"""Dropout masks and initial weights: the same bits everywhere, and the right distribution."""

from __future__ import annotations

import math
from typing import Any

import network_loops as loops
import numpy as np
import pytest

from xpfit.backends import Backend
from xpfit.core.network import Affine, Dropout, Moment, Network, SquaredError, initial_weights
from xpfit.core.network.uniform import layer_key, random_bits

KEYS = (0, 7, 2**31, 2**32 - 1)


def key_of(backend: Backend, key: int) -> Any:
    return backend.from_numpy(np.asarray(key, dtype=np.uint32))


def mask(rate: float, key: int, shape: tuple[int, int], layer: int = 0) -> Any:
    own = layer_key(np, np.asarray(key, dtype=np.uint32), layer)
    ones = np.ones(shape)
    return Dropout(rate).forward(np, (), (), ones, Moment(training=True, key=own))[0] != 0.0


@pytest.mark.parametrize("key", KEYS)
def test_the_bits_are_the_same_everywhere(backend: Backend, key: int) -> None:
    expected = [loops.random_bits(key, place) for place in range(6)]
    like = backend.from_numpy(np.zeros((2, 3)))
    bits = backend.jit(lambda key, like: random_bits(backend.xp, key, like))
    found = backend.to_numpy(bits(key_of(backend, key), like))
    assert found.dtype == np.uint32
    assert found.tolist() == [expected[:3], expected[3:]]


def test_the_masks_are_the_same_everywhere(backend: Backend) -> None:
    layers = (Dropout(0.3), Affine(4), Dropout(0.6))
    network, rng = Network(5, layers, SquaredError()), np.random.default_rng(0)
    theta, x = network.initial(rng), rng.normal(size=(8, 5))

    def raw(theta: Any, x: Any, key: Any) -> Any:
        leaves = network.unpack(theta)
        return network.forward(backend.xp, leaves, x, training=True, key=key).raw

    found = backend.to_numpy(
        backend.jit(raw)(backend.from_numpy(theta), backend.from_numpy(x), key_of(backend, 99))
    )
    W, b = network.unpack(theta)
    expected = (x * mask(0.3, 99, x.shape) / 0.7) @ W + b
    expected = expected * mask(0.6, 99, expected.shape, layer=2) / 0.4
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_the_rate_is_kept(rate: float) -> None:
    shape = (400, 500)
    for key in KEYS:
        left_out = 1.0 - mask(rate, key, shape).mean()
        assert abs(left_out - rate) <= 4.0 * math.sqrt(rate * (1.0 - rate) / 200_000)
    x = np.full(shape, 3.0)
    moment = Moment(training=True, key=np.asarray(5, dtype=np.uint32))
    kept = Dropout(rate).forward(np, (), (), x, moment)[0]
    assert set(np.unique(kept)) <= {0.0, 3.0 / (1.0 - rate), 3.0 * (1.0 / (1.0 - rate))}
    idle = Dropout(rate).forward(np, (), (), x, Moment(training=False))[0]
    np.testing.assert_array_equal(idle, x)


def correlation(a: Any, b: Any) -> float:
    """In units of its standard deviation for independent masks."""
    a, b = a.ravel() - a.mean(), b.ravel() - b.mean()
    return float(abs(a @ b) / math.sqrt((a @ a) * (b @ b)) * math.sqrt(a.size))


def test_masks_of_rows_columns_layers_and_steps_are_independent() -> None:
    shape = (300, 64)
    keys = np.random.default_rng(0).integers(0, 2**32, 4, dtype=np.uint32).tolist()
    # Keys one apart are as good as any.
    masks = {
        (key, layer): mask(0.5, key, shape, layer)
        for key in (*keys, keys[0] + 1, 0, 1)
        for layer in (0, 1, 2, 7)
    }
    found = list(masks.values())
    scores = [correlation(a, b) for i, a in enumerate(found) for b in found[:i]]
    for one in found:
        scores += [correlation(one[1:], one[:-1]), correlation(one[:, 1:], one[:, :-1])]
    # Some 430 half-normal numbers: the largest is about 3.
    assert max(scores) < 4.2
    assert np.mean(scores) == pytest.approx(math.sqrt(2.0 / math.pi), abs=0.15)


@pytest.mark.parametrize("shape", [(400, 300), (50, 900)])
def test_moments_of_initial_weights(shape: tuple[int, int]) -> None:
    n = shape[0] * shape[1]
    deviations = {
        "normal": 0.01, "xavier": math.sqrt(2.0 / sum(shape)), "he": math.sqrt(2.0 / shape[0]),
    }  # fmt: skip
    for name, deviation in deviations.items():
        W = initial_weights(name, shape, np.random.default_rng(0))
        assert W.dtype == np.float64
        assert W.shape == shape
        assert abs(W.mean()) < 4.0 * deviation / math.sqrt(n)
        assert W.std() == pytest.approx(deviation, rel=0.02)
        # Of the fourth power: 3 for a normal distribution, 9 / 5 for a uniform one.
        flatness = np.mean(W**4) / np.mean(W**2) ** 2
        assert flatness == pytest.approx(1.8 if name == "xavier" else 3.0, rel=0.03)
    assert np.abs(initial_weights("xavier", shape, np.random.default_rng(1))).max() <= math.sqrt(
        6.0 / sum(shape)
    )
    wide = initial_weights("normal", shape, np.random.default_rng(0), 0.5)
    assert wide.std() == pytest.approx(0.5, rel=0.02)
    assert not initial_weights("zeros", shape, np.random.default_rng(0)).any()


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 4), (1, 5)])
def test_orthogonal_weights(shape: tuple[int, int]) -> None:
    W = initial_weights("orthogonal", shape, np.random.default_rng(0), 2.0)
    gram = W.T @ W if shape[0] >= shape[1] else W @ W.T
    np.testing.assert_allclose(gram, 4.0 * np.eye(min(shape)), atol=1e-14)
    rng = np.random.default_rng(1)
    draws = np.asarray([initial_weights("orthogonal", shape, rng) for _ in range(2000)])
    # Uniform among all of them: every entry has mean 0 and variance 1 / max(shape).
    np.testing.assert_allclose(draws.mean(axis=0), 0.0, atol=4.0 / math.sqrt(2000 * max(shape)))
    np.testing.assert_allclose((draws**2).mean(axis=0), 1.0 / max(shape), rtol=0.15)


def test_affine_starts_with_them() -> None:
    W, b = Affine(3, "orthogonal", 0.5).initial(7, np.random.default_rng(3))
    expected = initial_weights("orthogonal", (7, 3), np.random.default_rng(3), 0.5)
    np.testing.assert_array_equal(W, expected)
    assert b.tolist() == [0.0] * 3
