"""Compiled sums of 8-byte words: the least that a pass over the same bytes can cost.

One stream of addresses does not keep the memory busy on every machine, so a thread reads 1, 2, 4
or 8 parts of its chunk side by side. Integer sums may be reordered, so LLVM vectorizes the loops.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from ..backends.numba_kernels.scalar import fetch_add

# Words that a thread takes at a time: 64 KiB, and the 4 MiB of a pass. Neither is best everywhere.
CHUNKS = (1 << 13, 1 << 19)


@njit(nogil=True, cache=True)
def read_1(words: Any, size: int, counter: Any, sums: Any) -> None:
    """sums[c] = sum of chunk c of `size` words, read as one stream."""
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        part = words[chunk * size : min(words.shape[0], (chunk + 1) * size)]
        total = 0
        for i in range(part.shape[0]):
            total += part[i]
        sums[chunk] = total
        chunk = fetch_add(counter, 1)


@njit(nogil=True, cache=True)
def read_2(words: Any, size: int, counter: Any, sums: Any) -> None:
    """The same as two streams."""
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        part = words[chunk * size : min(words.shape[0], (chunk + 1) * size)]
        n = part.shape[0] // 2
        p, q = part[:n], part[n : 2 * n]
        a = b = 0
        for i in range(n):
            a += p[i]
            b += q[i]
        for i in range(2 * n, part.shape[0]):
            a += part[i]
        sums[chunk] = a + b
        chunk = fetch_add(counter, 1)


@njit(nogil=True, cache=True)
def read_4(words: Any, size: int, counter: Any, sums: Any) -> None:
    """The same as four streams."""
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        part = words[chunk * size : min(words.shape[0], (chunk + 1) * size)]
        n = part.shape[0] // 4
        p, q, r, s = part[:n], part[n : 2 * n], part[2 * n : 3 * n], part[3 * n : 4 * n]
        a = b = c = d = 0
        for i in range(n):
            a += p[i]
            b += q[i]
            c += r[i]
            d += s[i]
        for i in range(4 * n, part.shape[0]):
            a += part[i]
        sums[chunk] = (a + b) + (c + d)
        chunk = fetch_add(counter, 1)


@njit(nogil=True, cache=True)
def read_8(words: Any, size: int, counter: Any, sums: Any) -> None:
    """The same as eight streams."""
    chunk = fetch_add(counter, 1)
    while chunk < sums.shape[0]:
        part = words[chunk * size : min(words.shape[0], (chunk + 1) * size)]
        n = part.shape[0] // 8
        p, q, r, s = part[:n], part[n : 2 * n], part[2 * n : 3 * n], part[3 * n : 4 * n]
        t, u, v, w = part[4 * n : 5 * n], part[5 * n : 6 * n], part[6 * n : 7 * n], part[7 * n :]
        a = b = c = d = 0
        for i in range(n):
            a += p[i] + t[i]
            b += q[i] + u[i]
            c += r[i] + v[i]
            d += s[i] + w[i]
        for i in range(n, w.shape[0]):
            a += w[i]
        sums[chunk] = (a + b) + (c + d)
        chunk = fetch_add(counter, 1)


KERNELS = {1: read_1, 2: read_2, 4: read_4, 8: read_8}
