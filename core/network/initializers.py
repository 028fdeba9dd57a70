"""What weights are before the first step. One host generator draws them for every backend."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

HostArray = np.ndarray[Any, Any]
Shape = tuple[int, int]


def _zeros(shape: Shape, rng: np.random.Generator, scale: float | None) -> HostArray:
    return np.zeros(shape)


def _normal(shape: Shape, rng: np.random.Generator, scale: float | None) -> HostArray:
    return rng.normal(0.0, 0.01 if scale is None else scale, shape)


def _xavier(shape: Shape, rng: np.random.Generator, scale: float | None) -> HostArray:
    bound = math.sqrt(6.0 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def _he(shape: Shape, rng: np.random.Generator, scale: float | None) -> HostArray:
    return rng.normal(0.0, math.sqrt(2.0 / shape[0]), shape)


def _orthogonal(shape: Shape, rng: np.random.Generator, scale: float | None) -> HostArray:
    tall = rng.normal(size=(max(shape), min(shape)))
    basis, triangle = np.linalg.qr(tall)
    # Of each direction the sign that makes the distribution uniform.
    basis = basis * np.where(np.diagonal(triangle) < 0.0, -1.0, 1.0)
    basis = basis if shape[0] >= shape[1] else basis.T
    return (1.0 if scale is None else scale) * np.ascontiguousarray(basis)


INITIALIZERS: dict[str, Callable[[Shape, np.random.Generator, float | None], HostArray]] = {
    "zeros": _zeros,
    "normal": _normal,
    "xavier": _xavier,
    "he": _he,
    "orthogonal": _orthogonal,
}


SCALED = ("normal", "orthogonal")


def check_initializer(name: str, scale: float | None = None) -> None:
    """Raise where no initializer has that name, or it cannot use that scale."""
    if name not in INITIALIZERS:
        message = f"There is no initializer {name!r}. Choose one of {', '.join(INITIALIZERS)}."
        raise ValueError(message)
    if scale is None:
        return
    if name not in SCALED:
        message = (
            f"The initializer {name!r} has no use for scale={scale!r}: its scale follows from the "
            f"shape. Leave scale out, or choose {' or '.join(SCALED)}."
        )
        raise ValueError(message)
    if not 0.0 < scale < math.inf:
        message = (
            f"The initializer {name!r} was asked for scale={scale!r}. It must be positive and "
            "finite; for zeros there is 'zeros'."
        )
        raise ValueError(message)


def initial_weights(
    name: str, shape: Shape, rng: np.random.Generator, scale: float | None = None
) -> HostArray:
    """Weights of shape (n_inputs, n_outputs), float64.

    Parameters
    ----------
    name : {"zeros", "normal", "xavier", "he", "orthogonal"}
        "normal": deviation `scale` (0.01). "xavier": uniform in +-sqrt(6 / (n_inputs +
        n_outputs)), which keeps the variance of tanh layers both ways. "he": normal of variance
        2 / n_inputs, which keeps that of ReLU layers. "orthogonal": `scale` (1) times a random
        matrix with orthonormal columns or rows. "zeros": all units of a layer then stay the same
        for ever.
    shape : (int, int)
    rng : Generator
    scale : float or None

    References
    ----------
    Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural
    networks. He et al. 2015, Delving deep into rectifiers. Saxe, McClelland and Ganguli 2014,
    Exact solutions to the nonlinear dynamics of learning in deep linear neural networks.

    Examples
    --------
    >>> W = initial_weights("orthogonal", (3, 2), np.random.default_rng(0))
    >>> bool(np.allclose(W.T @ W, np.eye(2)))
    True
    """
    check_initializer(name, scale)
    return INITIALIZERS[name](shape, rng, scale)
