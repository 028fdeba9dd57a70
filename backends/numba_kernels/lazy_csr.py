"""Plain descent on rows of a CSR matrix at the cost of their nonzeros, whatever the columns.

The penalty makes every coefficient smaller at every step, and averaging moves every average. Both
are the same for all columns, so both are numbers of the step beside vectors that change only where
a row has something:

    coefficients = now[SCALE] * v            average = now[OF_V] * v + now[OF_U] * u

`v` and `u` are flat, the outputs of a column side by side. On 5,574 messages of 8,713 words (13 in
a message) an epoch takes 1/34 of the time of full updates in batches of one row, and half of it in
batches of 32; on 32,561 rows of 123 columns (14 stored in a row) both take the same time.

Everything is inlined by force: a call with that many arrays took a third of a step.

References
----------
Bottou 2012, Stochastic gradient descent tricks, section 5.1 (both representations).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..constants import NORM_FLOOR
from .scalar import to_double

SCALE, OF_V, OF_U, SQUARES = 0, 1, 2, 3  # SQUARES: sum of v * v
# Numbers of a step stay between these, so that v and u neither overflow nor vanish. A penalty that
# takes 1 % at every step leaves them after 2,000 steps.
LEAST, MOST = 1e-9, 1e9
# The average is a difference of two numbers that many times larger, at most.
DIGITS_LOST = 1e3


@njit(nogil=True, error_model="numpy", forceinline=True)
def sum_of_squares(v):
    """v @ v."""
    total = 0.0
    for j in range(v.shape[0]):
        total += v[j] * v[j]
    return total


@njit(nogil=True, error_model="numpy", forceinline=True)
def begin(v):
    """The numbers of v = coefficients, u = average."""
    now = np.empty(4)
    now[SCALE], now[OF_V], now[OF_U], now[SQUARES] = 1.0, 0.0, 1.0, sum_of_squares(v)
    return now


@njit(nogil=True, error_model="numpy", forceinline=True)
def settle(now, v, u):
    """v becomes the coefficients and u their average: the one step that visits all columns."""
    for j in range(u.shape[0]):
        u[j] = now[OF_V] * v[j] + (now[OF_U] * u[j] if now[OF_U] != 0.0 else 0.0)
    for j in range(v.shape[0]):
        v[j] *= now[SCALE]
    now[SCALE], now[OF_V], now[OF_U], now[SQUARES] = 1.0, 0.0, 1.0, sum_of_squares(v)


@njit(nogil=True, error_model="numpy", forceinline=True)
def shrink(now, v, u, factor):
    """coefficients *= factor; the average stays."""
    scale = now[SCALE] * factor
    if LEAST < abs(scale) < MOST:
        now[SCALE] = scale
        return
    # Also a factor of 0, which no later step could divide by, and NaN.
    settle(now, v, u)
    for j in range(v.shape[0]):
        v[j] *= factor
    now[SQUARES] = sum_of_squares(v)


@njit(nogil=True, error_model="numpy", forceinline=True)
def held_in_v(now, u, gain):
    """What a change of v must take from u, so that the average stays; 0 without an average."""
    if u.shape[0] == 0 or gain == 1.0:
        return 0.0  # this step replaces the average
    if now[OF_U] == 0.0:
        u[:] = 0.0
        now[OF_U] = 1.0
    return now[OF_V] / now[OF_U]


@njit(nogil=True, error_model="numpy", forceinline=True)
def mix(now, v, u, gain):
    """average += gain * (coefficients - average)."""
    if u.shape[0] == 0:
        return
    now[OF_V] = (1.0 - gain) * now[OF_V] + gain * now[SCALE]
    now[OF_U] *= 1.0 - gain
    large = abs(now[OF_V]) > DIGITS_LOST * abs(now[SCALE])
    if 0.0 < now[OF_U] < LEAST or large:
        settle(now, v, u)


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def product(X, row, scale, v, b, sums, raw, i):
    """raw[:, i] = scale * X[row] @ v + b."""
    data, indices, indptr = X
    n_outputs = raw.shape[0]
    sums[:] = 0.0
    for at in range(indptr[row], indptr[row + 1]):
        x, j = to_double(data[at]), indices[at] * n_outputs
        for k in range(n_outputs):
            sums[k] += x * v[j + k]
    for k in range(n_outputs):
        raw[k, i] = scale * sums[k] + b[k]


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def dot(data, indices, start, stop, v):
    """The numbers start:stop of a CSR matrix times those of v in their columns."""
    total = 0.0
    for at in range(start, stop):
        # An index without a sign is not asked whether it counts from the end.
        total += to_double(data[at]) * v[np.uintp(indices[at])]
    return total


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def add(data, indices, start, stop, factor, v):
    """v += factor * the numbers start:stop of a CSR matrix, in their columns."""
    for at in range(start, stop):
        v[np.uintp(indices[at])] += factor * to_double(data[at])


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def scatter(X, row, step, g, i, v, u, held):
    """v += step * outer(X[row], g[:, i]), u -= held * that; how much the sum of v * v rises."""
    data, indices, indptr = X
    n_outputs, rise = g.shape[0], 0.0
    for at in range(indptr[row], indptr[row + 1]):
        x, j = step * to_double(data[at]), indices[at] * n_outputs
        for k in range(n_outputs):
            change, old = x * g[k, i], v[j + k]
            v[j + k] = old + change
            rise += change * (2.0 * old + change)
            if held != 0.0:
                u[j + k] -= held * change
    return rise


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def clip_factor(X, order, first, g, m, v, sums, now, l2_reg_strength, max_norm, out):
    """What the gradient of a batch is multiplied by, so that its norm is at most `max_norm`.

    `out`, as long as v, is 0 before and after. Columns that no row touches have l2 times their
    coefficient for a gradient: all squares less those of the others.
    """
    data, indices, indptr = X
    n_outputs = g.shape[0]
    squares, others, share = 0.0, now[SQUARES], 1.0 / m
    for k in range(sums.shape[0]):
        squares += (share * sums[k]) * (share * sums[k])
    for i in range(m):
        row = order[first + i]
        for at in range(indptr[row], indptr[row + 1]):
            x, j = share * to_double(data[at]), indices[at] * n_outputs
            for k in range(n_outputs):
                out[j + k] += x * g[k, i]
    decay = l2_reg_strength * now[SCALE]
    for i in range(m):
        row = order[first + i]
        for at in range(indptr[row], indptr[row + 1]):
            j = indices[at] * n_outputs
            for e in range(j, j + n_outputs):
                if out[e] != 0.0:  # else it was seen in this loop, or has no gradient of its own
                    own = out[e] + decay * v[e]
                    squares += own * own
                    others -= v[e] * v[e]
                    out[e] = 0.0
    factor = max_norm / (math.sqrt(squares + decay * decay * max(0.0, others)) + NORM_FLOOR)
    return factor if factor < 1.0 else 1.0


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def step(
    X, order, first, g, m, v, u, b, mean_b, now, rate, gain, decay, l2_reg_strength, max_norm,
    sums, out,
):  # fmt: skip
    """One step by the slopes g (n_outputs, m) of the rows order[first : first + m].

    With G the gradient, clipped: theta -= rate * (G + decay * theta), and the average follows.
    """
    data, indices, indptr = X
    for k in range(b.shape[0]):
        sums[k] = 0.0
        for i in range(m):
            sums[k] += g[k, i]
    factor = 1.0
    if max_norm < math.inf:
        factor = clip_factor(
            X, order, first, g, m, v, sums[: b.shape[0]], now, l2_reg_strength, max_norm, out
        )
    shrink(now, v, u, 1.0 - rate * (factor * l2_reg_strength + decay))
    held = held_in_v(now, u, gain)
    length = -rate * factor / m
    for i in range(m):
        if g.shape[0] == 1 and max_norm == math.inf:
            start, stop = indptr[order[first + i]], indptr[order[first + i] + 1]
            move = length / now[SCALE] * g[0, i]
            add(data, indices, start, stop, move, v)
            if held != 0.0:
                add(data, indices, start, stop, -held * move, u)
        else:
            now[SQUARES] += scatter(X, order[first + i], length / now[SCALE], g, i, v, u, held)
    mix(now, v, u, gain)
    for k in range(b.shape[0]):
        b[k] += length * sums[k] - rate * decay * b[k]
        if u.shape[0] > 0:
            mean_b[k] += gain * (b[k] - mean_b[k])


@njit(nogil=True, fastmath={"contract"}, error_model="numpy", forceinline=True)
def step_of_one(
    data, indices, start, stop, slope, v, u, b, mean_b, now, rate, gain, decay, l2_reg_strength,
):  # fmt: skip
    """`step` of one row and one output, without clipping, in 0.7 of its time.

    The row comes as its numbers start:stop: what is unpacked once, outside the loop over steps, is
    not counted as referred to in each of them.
    """
    shrink(now, v, u, 1.0 - rate * (l2_reg_strength + decay))
    held = held_in_v(now, u, gain)
    move = -rate * slope / now[SCALE]
    add(data, indices, start, stop, move, v)
    if held != 0.0:
        add(data, indices, start, stop, -held * move, u)
    mix(now, v, u, gain)
    if b.shape[0] > 0:
        b[0] -= rate * (slope + decay * b[0])
        if u.shape[0] > 0:
            mean_b[0] += gain * (b[0] - mean_b[0])
