"""exp, tanh and log1p of float32, as `scalar.py` has them of float64: without branches or calls.

Within 3 units of the last place (log1p: on [0, 1]). Constants are float32 numbers: with Python's,
Numba would compute in float64, at half the numbers per vector and two conversions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_OPTIONS: dict[str, Any] = {
    "fastmath": {"contract"}, "error_model": "numpy", "forceinline": True,
}  # fmt: skip
ZERO, HALF, ONE, TWO = (np.float32(value) for value in (0.0, 0.5, 1.0, 2.0))
LOG2_E = np.float32(1.4426950408889634)
# ln 2 in two parts; the first has trailing zeros, so k * LN2_HIGH is exact for abs(k) < 2**9.
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# Adding 1.5 * 2**23 rounds to an integer, which then stands in the low bits.
ROUND = np.float32(12582912.0)
ROUND_BITS = int(ROUND.view(np.int32))
# Below the first k - 1 would be less than an exponent field holds: the result is taken as 0.
EXP_LOW, EXP_HIGH = np.float32(-86.9), np.float32(88.72283)
INFINITY = np.float32(np.inf)
# tanh is 1 in float32 from here on.
TANH_HIGH = np.float32(9.1)
# (exp(f) - 1 - f) / f**2 on abs(f) <= ln(2) / 2: the coefficients of Cephes' expf.
P0, P1, P2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
P3, P4, P5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
# 2 atanh(s) = s * (2 + 2 s**2 / 3 + ...)
A1, A2, A3, A4, A5, A6, A7 = (np.float32(2.0 / (2 * i + 1)) for i in range(1, 8))


@intrinsic
def half_power(typing_context: Any, shifted: Any) -> Any:
    """2**(k - 1) for shifted = k + ROUND, -126 < k <= 128."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        whole = ir.IntType(32)
        bits = builder.bitcast(args[0], whole)
        bits = builder.sub(bits, whole(ROUND_BITS - 126))
        return builder.bitcast(builder.shl(bits, whole(23)), ir.FloatType())

    return types.float32(types.float32), generate


@njit(**_OPTIONS)
def _above_one(f):
    """exp(f) - 1 for abs(f) <= ln(2) / 2."""
    square = f * f
    low = P0 + f * P1
    high = (P2 + f * P3) + square * (P4 + f * P5)
    return f + square * (low + square * high)


@njit(**_OPTIONS)
def exp(x):
    """2**k * exp(f), k = round(x / ln 2): 0 below -86.9, inf above 88.7, NaN stays."""
    clipped = x
    if clipped < EXP_LOW:
        clipped = EXP_LOW
    if clipped > EXP_HIGH:
        clipped = EXP_HIGH
    shifted = clipped * LOG2_E + ROUND
    k = shifted - ROUND
    value = ONE + _above_one((clipped - k * LN2_HIGH) - k * LN2_LOW)
    value = (value + value) * half_power(shifted)
    if x > EXP_HIGH:
        value = INFINITY
    if x < EXP_LOW:
        value = ZERO
    return value


@njit(**_OPTIONS)
def tanh(x):
    """-e / (2 + e), e = expm1(-2 abs(x)), with the sign of x: nothing cancels near 0."""
    size = abs(x)
    if size > TANH_HIGH:
        size = TANH_HIGH
    clipped = -(size + size)
    shifted = clipped * LOG2_E + ROUND
    k = shifted - ROUND
    above = _above_one((clipped - k * LN2_HIGH) - k * LN2_LOW)
    power = half_power(shifted)
    power = power + power
    e = power * above + (power - ONE)
    value = -e / (TWO + e)
    if x < ZERO:
        value = -value
    if x != x:
        value = x
    return value


@njit(**_OPTIONS)
def log1p(x):
    """log(1 + x) = 2 atanh(s), s = x / (2 + x), for x in [0, 1]: abs(s) <= 1/3."""
    s = x / (TWO + x)
    z = s * s
    z2 = z * z
    low = (A1 + z * A2) + z2 * (A3 + z * A4)
    high = (A5 + z * A6) + z2 * A7
    return s * (TWO + z * (low + (z2 * z2) * high))
