"""What the loops of static graphs call: sums of blocks, and the larger of two numbers."""

from __future__ import annotations

from typing import Any

from numba import njit


# Additions may change places within a block: only so can they be done several at a time.
@njit(fastmath={"contract", "reassoc"}, error_model="numpy")
def block_sum(block: Any, n: int) -> Any:
    """The sum of the first n entries; of floats in float64."""
    total = 0
    for i in range(n):
        total += block[i]
    return total


@njit(error_model="numpy", forceinline=True)
def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers; NaN where one is."""
    return a if (a > b or a != a) else b


@njit(error_model="numpy", forceinline=True)
def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers; NaN where one is."""
    return a if (a < b or a != a) else b


@njit(error_model="numpy")
def block_max(block: Any, n: int) -> Any:
    """The largest of the first n entries, n at least 1."""
    found = block[0]
    for i in range(1, n):
        found = larger(found, block[i])
    return found


@njit(error_model="numpy")
def block_min(block: Any, n: int) -> Any:
    """The smallest of the first n entries, n at least 1."""
    found = block[0]
    for i in range(1, n):
        found = smaller(found, block[i])
    return found
