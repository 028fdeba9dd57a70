"""Element-wise activations on flat buffers, in float32 or float64: formulas of
`core/network/activations.py`. Values replace x: with two arrays, LLVM's check for overlap would
send the loop to its scalar form wherever they are one."""

from __future__ import annotations

from typing import Any

from numba import njit

from ..constants import GELU_CUBE, GELU_SCALE
from .network_codes import GELU, INNER, LEAKY_RELU, RELU, SIGMOID, SOFTPLUS, TANH
from .real import exp, log1p, number, tanh

_LOOPS: dict[str, Any] = {**INNER, "fastmath": {"contract"}}
_SCALAR: dict[str, Any] = {**_LOOPS, "forceinline": True}


@njit(**_SCALAR)
def sigmoid(x, zero, one):
    """1 / (1 + exp(-x)); no exponential of a positive number is formed."""
    e = exp(-abs(x))
    share = one / (one + e)
    return e * share if x < zero else share


@njit(**_LOOPS)
def activate(kind, slope, z):
    """z = value(z)."""
    zero, half, one = number(z, 0.0), number(z, 0.5), number(z, 1.0)
    if kind == SIGMOID:
        for j in range(z.shape[0]):
            z[j] = sigmoid(z[j], zero, one)
    elif kind == TANH:
        for j in range(z.shape[0]):
            z[j] = tanh(z[j])
    elif kind == RELU:
        for j in range(z.shape[0]):
            z[j] = zero if z[j] <= zero else z[j]
    elif kind == LEAKY_RELU:
        factor = number(z, slope)
        for j in range(z.shape[0]):
            z[j] = z[j] if z[j] > zero else factor * z[j]
    elif kind == GELU:
        scale, cube = number(z, GELU_SCALE), number(z, GELU_CUBE)
        for j in range(z.shape[0]):
            x = z[j]
            z[j] = half * x * (one + tanh(scale * (x + cube * x * x * x)))
    elif kind == SOFTPLUS:
        for j in range(z.shape[0]):
            x = z[j]
            z[j] = (x if x > zero else zero) + log1p(exp(-abs(x)))


@njit(**_LOOPS)
def differentiate(kind, slope, d, kept):
    """d *= derivative, from the output (sigmoid, tanh, ReLU, leaky ReLU) or from x (the others)."""
    zero, half, one = number(d, 0.0), number(d, 0.5), number(d, 1.0)
    if kind == SIGMOID:
        for j in range(d.shape[0]):
            d[j] *= kept[j] * (one - kept[j])
    elif kind == TANH:
        for j in range(d.shape[0]):
            d[j] *= one - kept[j] * kept[j]
    elif kind == RELU:
        for j in range(d.shape[0]):
            d[j] = d[j] if kept[j] > zero else zero
    elif kind == LEAKY_RELU:
        factor = number(d, slope)
        for j in range(d.shape[0]):
            d[j] = d[j] if kept[j] > zero else factor * d[j]
    elif kind == GELU:
        scale, cube = number(d, GELU_SCALE), number(d, GELU_CUBE)
        three = number(d, 3.0 * GELU_CUBE)
        for j in range(d.shape[0]):
            x = kept[j]
            square = x * x
            t = tanh(scale * (x + cube * x * square))
            along = scale * (one + three * square)
            d[j] *= half * (one + t) + half * x * (one - t * t) * along
    elif kind == SOFTPLUS:
        for j in range(d.shape[0]):
            d[j] *= sigmoid(kept[j], zero, one)
