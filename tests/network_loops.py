"""Layers as plain Python loops over numbers, from their definitions: the oracle at tiny sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

Rows = list[list[float]]


def affine(x: Rows, W: Rows, b: list[float]) -> Rows:
    """output_ik = sum_j x_ij W_jk + b_k."""
    output = []
    for row in x:
        line = []
        for k in range(len(b)):
            total = b[k]
            for j in range(len(row)):
                total += row[j] * W[j][k]
            line.append(total)
        output.append(line)
    return output


def affine_backward(x: Rows, W: Rows, d: Rows) -> tuple[Rows, Rows, list[float]]:
    """dx, dW and db: each product of the forward loop, the other way round."""
    dx = [[0.0] * len(W) for _ in x]
    dW = [[0.0] * len(d[0]) for _ in W]
    db = [0.0] * len(d[0])
    for i in range(len(x)):
        for k in range(len(d[0])):
            db[k] += d[i][k]
            for j in range(len(W)):
                dx[i][j] += d[i][k] * W[j][k]
                dW[j][k] += d[i][k] * x[i][j]
    return dx, dW, db


class Scalar(NamedTuple):
    """An activation of one number, and its derivative."""

    value: Callable[[float], float]
    derivative: Callable[[float], float]


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def _gelu_inner(x: float) -> float:
    return math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)


def _gelu_slope(x: float) -> float:
    t = math.tanh(_gelu_inner(x))
    inner = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * 0.044715 * x**2)
    return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t**2) * inner


SCALARS = {
    "identity": Scalar(lambda x: x, lambda x: 1.0),
    "sigmoid": Scalar(_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "tanh": Scalar(math.tanh, lambda x: 1.0 / math.cosh(x) ** 2),
    "relu": Scalar(lambda x: max(x, 0.0), lambda x: 1.0 if x > 0.0 else 0.0),
    "leaky_relu": Scalar(
        lambda x: x if x > 0.0 else 0.01 * x, lambda x: 1.0 if x > 0.0 else 0.01
    ),
    "gelu": Scalar(lambda x: 0.5 * x * (1.0 + math.tanh(_gelu_inner(x))), _gelu_slope),
    "softplus": Scalar(lambda x: math.log(1.0 + math.exp(x)), _sigmoid),
}  # fmt: skip


def activation(name: str, x: Rows) -> Rows:
    """The values, one number after the other."""
    return [[SCALARS[name].value(number) for number in row] for row in x]


def activation_backward(name: str, x: Rows, d: Rows) -> Rows:
    """dx_ij = d_ij * derivative(x_ij)."""
    result = []
    for row, own in zip(x, d, strict=True):
        result.append([o * SCALARS[name].derivative(v) for v, o in zip(row, own, strict=True)])
    return result


def softmax(x: Rows) -> Rows:
    """exp(x_k) / sum_j exp(x_j), row by row."""
    result = []
    for row in x:
        largest = max(row)
        e = [math.exp(number - largest) for number in row]
        result.append([number / sum(e) for number in e])
    return result


def softmax_backward(x: Rows, d: Rows, *, log: bool) -> Rows:
    """sum_k d_k times the derivative of output k with respect to x_j: entry by entry."""
    result = []
    for p, own in zip(softmax(x), d, strict=True):
        line = []
        for j in range(len(p)):
            total = 0.0
            for k in range(len(p)):
                total += own[k] * ((j == k) - p[j]) * (1.0 if log else p[k])
            line.append(total)
        result.append(line)
    return result


def random_bits(key: int, place: int) -> int:
    """The finalizer of MurmurHash3 (32 bits) of place * 0x9E3779B1 + key."""
    h = (place * 0x9E3779B1 + key) % 2**32
    h ^= h >> 16
    h = h * 0x85EBCA6B % 2**32
    h ^= h >> 13
    h = h * 0xC2B2AE35 % 2**32
    return h ^ (h >> 16)


def as_rows(array: Any) -> Rows:
    """The numbers of a matrix."""
    rows: Rows = array.tolist()
    return rows
