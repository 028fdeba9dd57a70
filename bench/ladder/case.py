"""What a case of the ladder is: one computation, written as a loop and vectorized, on fresh data.

The loop is plain Python over single numbers; Numba compiles the same function unchanged. The
vectorized form takes an array namespace, so NumPy, JAX and CuPy share it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Below this many bytes a case may stay in a cache, and a share of the memory's rate says nothing.
OUT_OF_CACHE = 1 << 26

Inputs = tuple[np.ndarray[Any, Any], ...]
Contestant = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One computation of the ladder.

    Parameters
    ----------
    name : str
        What `--cases` calls it.
    what : str
        The formula, with shapes in terms of n.
    sizes : tuple of int
        Values of n, ascending. The first is small enough for a loop in Python.
    make : callable
        `make(n, rng)`: the inputs, NumPy arrays.
    vectorized : callable or None
        `vectorized(xp, *inputs)`.
    loop : callable or None
        `loop(*inputs)`: plain Python, compiled by Numba as it is.
    fused : callable or None
        `fused(*inputs)`: returns a function without arguments, made for these inputs.
    fused_on_device : callable or None
        `fused_on_device(backend, *arrays)`: as `fused`, on arrays of a device library.
    peers : mapping of str to callable
        As `fused`, by other libraries; one that is not installed returns None.
    bytes_moved, operations : callable
        Of n: bytes that must cross the memory bus (inputs read once, outputs written once), and
        floating-point operations.
    loop_numbers : callable
        Of n: trips through the innermost loop. A Python loop runs where they are few enough.
    peer_backends : mapping of str to str
        The backend that a peer needs, where it is one of ours.
    writes : bool
        The result is as large as the data: a copy is what it is measured against, not a read.
    tolerance : float
        Largest difference from NumPy's result, relative to its largest entry.
    group : {"patterns", "kernels", "dtypes", "training", "memory"}
    """

    name: str
    what: str
    sizes: tuple[int, ...]
    make: Callable[[int, np.random.Generator], Inputs]
    vectorized: Callable[..., Any] | None
    loop: Callable[..., Any] | None
    bytes_moved: Callable[[int], int]
    operations: Callable[[int], int]
    loop_numbers: Callable[[int], int]
    fused: Callable[..., Contestant] | None = None
    fused_on_device: Callable[..., Contestant] | None = None
    peers: Mapping[str, Callable[..., Contestant | None]] = field(default_factory=dict)
    peer_backends: Mapping[str, str] = field(default_factory=dict)
    writes: bool = False
    tolerance: float = 1e-10
    group: str = "patterns"


def relative_difference(found: Any, expected: Any) -> float:
    """Largest difference of two results (arrays, numbers, or tuples of them), relative to the
    largest entry of each part; infinite where shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> relative_difference((2.0, np.ones(3)), (2.0, np.full(3, 2.0)))
    0.5
    """
    if isinstance(expected, tuple | list):
        if len(found) != len(expected):
            return float("inf")
        return max(
            (relative_difference(f, e) for f, e in zip(found, expected, strict=True)), default=0.0
        )
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    largest = max(float(np.max(np.abs(expected))), 1e-300)
    error = float(np.max(np.abs(found.astype(np.float64) - expected.astype(np.float64)))) / largest
    # Every comparison with NaN is false: as a number it would pass for agreement.
    return error if error == error else float("inf")
