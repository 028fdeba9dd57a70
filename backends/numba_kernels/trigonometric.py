"""sin and cos of one number at once, as arithmetic that is inlined.

A function with a sine has a cosine in its derivative. Two calls to libm took 1.9 times as long in a
gradient of 50 sines in a row.

Source: Taylor's series after a reduction by Cody and Waite (1980) with pi / 2 in three parts.
"""

from __future__ import annotations

import math

from numba import njit

from .scalar import ROUND, bits_of

TWO_OVER_PI = 0.6366197723675814
# pi / 2 by 33 bits at a time: k times each of the first two is exact for k below 2**20.
HALF_PI_1 = 1.5707963267341256
HALF_PI_2 = 6.077100506303966e-11
HALF_PI_3 = 2.0222662487959506e-21
# Beyond it libm reduces with as many bits as there are.
LARGEST = 8e5


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _sin_of_rest(r: float) -> float:
    # To r**17 / 17!: what is left out is below 1e-19 for abs(r) <= pi / 4.
    z = r * r
    z2 = z * z
    low = (-0.16666666666666666 + z * 0.008333333333333333) + z2 * (
        -0.0001984126984126984 + z * 2.7557319223985893e-06
    )
    high = (-2.505210838544172e-08 + z * 1.6059043836821613e-10) + z2 * (
        -7.647163731819816e-13 + z * 2.8114572543455206e-15
    )
    return r + r * (z * (low + (z2 * z2) * high))


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _cos_of_rest(r: float) -> float:
    # To r**16 / 16!; the rounding of 1 - r**2 / 2 is put back.
    z = r * r
    z2 = z * z
    low = (0.041666666666666664 + z * -0.001388888888888889) + z2 * (
        2.48015873015873e-05 + z * -2.755731922398589e-07
    )
    high = (2.08767569878681e-09 + z * -1.1470745597729725e-11) + z2 * 4.779477332387385e-14
    half = 0.5 * z
    near = 1.0 - half
    return near + (((1.0 - near) - half) + z2 * (low + (z2 * z2) * high))


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def sincos(x: float) -> tuple[float, float]:
    """Sine and cosine, within 2 ulp; NaN of what is not finite."""
    x = float(x)
    if not abs(x) <= LARGEST:
        return math.sin(x), math.cos(x)
    shifted = x * TWO_OVER_PI + ROUND
    k = shifted - ROUND
    r = ((x - k * HALF_PI_1) - k * HALF_PI_2) - k * HALF_PI_3
    sine, cosine = _sin_of_rest(r), _cos_of_rest(r)
    quadrant = bits_of(shifted) - bits_of(ROUND)
    s, c = (cosine, sine) if quadrant & 1 else (sine, cosine)
    s = -s if quadrant & 2 else s
    c = -c if (quadrant + 1) & 2 else c
    return (x if x == 0.0 else s), c  # a zero keeps its sign
